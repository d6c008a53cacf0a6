// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "absl/status/statusor.h"
#include "flow/plugin.h"
#include "host/executor/tensor.hpp"
#include "jina.pb.h"

namespace flow::host {

// The documents of one request as a plugin sees and edits them, in place in the message that will
// be the answer (docs/decisions/0007-request-message-is-the-response.md).
//
// A view shows a document as it was when the view was taken, and points straight into the message.
// So what a setter replaces is not freed but set aside until this object goes. Handles are numbers
// in disguise: an index, and a tag that differs from call to call, so that a handle which is not of
// this call is recognised without looking at what it points to.
//
// A plugin that streams answers in parts. With each part all handles die, and what was set aside
// since the part before goes, except for what came before the first: the request's views point to
// that. So a call may have any number of parts.
//
// Confined to one thread at a time, as the ABI's [call] functions are.
class Documents {
 public:
  // `tag` is not 0, so that no handle is NULL. `bytes_max` bounds each value a plugin may set.
  Documents(jina::DataRequestProto& message, std::uint32_t tag, std::uint64_t bytes_max);
  Documents(const Documents&) = delete;
  Documents& operator=(const Documents&) = delete;

  // Views of the request's documents. An error if any document, however deep, holds a tensor whose
  // shape, type and bytes contradict each other: a plugin need not be prepared for that.
  absl::StatusOr<flow_docs> view_roots();

  // The functions of flow_host under the same names.
  flow_docs children(const void* doc, std::uint32_t kind);
  flow_status append(const void* parent, std::uint32_t kind, const void** doc);
  flow_status remove(const void* doc);
  flow_status set_id(const void* doc, flow_str id);
  flow_status set_text(const void* doc, flow_str text);
  flow_status set_uri(const void* doc, flow_str uri);
  flow_status set_mime_type(const void* doc, flow_str type);
  flow_status new_blob(const void* doc, std::uint64_t size, std::uint8_t** bytes);
  flow_status new_tensor(const void* doc, std::uint32_t field, const flow_tensor* shape,
                         void** elements);
  flow_status set_tag(const void* doc, flow_str key, const flow_value* value);
  flow_status set_score(const void* doc, flow_str name, double value);

  // For call_emit: ends a part, which is what the response holds. Kept, it stays in the message
  // before whatever follows; taken, it leaves the message, and the views of the request's documents
  // last as long as those do. RESOURCE_EXHAUSTED, with nothing changed: the parts kept so far, or a
  // document taken, have more than `bytes_max`.
  flow_status keep_part();
  flow_status take_part(std::vector<std::unique_ptr<docarray::DocumentProto>>& part);

  // Takes the removed documents out of the message. Call when the plugin is done.
  void finish();

 private:
  using Document = docarray::DocumentProto;
  using List = google::protobuf::RepeatedPtrField<Document>;

  // A document that has a handle. One that was viewed twice has two.
  struct Entry {
    Document* document;
    std::uint32_t parent;  // index of the parent's entry; kNoParent for roots
  };
  static constexpr std::uint32_t kNoParent = UINT32_MAX;

  // What was replaced but may still be looked at.
  struct Retired {
    std::vector<std::unique_ptr<std::string>> strings;
    std::vector<std::unique_ptr<docarray::NdArrayProto>> arrays;
    std::vector<std::unique_ptr<google::protobuf::Struct>> tags;
    std::vector<std::unique_ptr<Document>> documents;
    std::vector<std::unique_ptr<flow_doc[]>> views;
    AlignedCopies copies;
  };

  const void* handle(std::size_t index) const;
  Entry* find(const void* handle);
  bool is_removed(const Entry& entry) const;
  flow_status check_text(flow_str text) const;

  const void* add(Document& document, std::uint32_t parent);
  absl::StatusOr<flow_doc> view_document(Document& document, std::uint32_t parent);
  absl::StatusOr<flow_docs> view_list(List& list, std::uint32_t parent);
  absl::Status check_tensors(const List& list);
  List& roots() { return *message_.mutable_data()->mutable_docs()->mutable_docs(); }
  void compact(List& list);
  flow_status check_handles_left() const;
  void begin_part();
  void retire_content(Document& document);
  google::protobuf::Struct& editable_tags(Document& document);

  jina::DataRequestProto& message_;
  const std::uint32_t tag_;
  const std::uint64_t bytes_max_;
  std::uint64_t first_index_ = 0;  // of the handles of this part
  std::vector<Entry> entries_;     // by index - first_index_
  std::unordered_set<const Document*> removed_;
  std::unordered_set<List*> dirty_;                 // lists with a removed document
  std::unordered_set<const Document*> fresh_tags_;  // tags that no view can see
  Retired retired_;
  Retired retired_before_parts_;
  bool has_parts_ = false;
  int kept_count_ = 0;            // documents of kept parts, at the front of the message
  std::uint64_t kept_bytes_ = 0;  // of the message so far
};

}  // namespace flow::host
