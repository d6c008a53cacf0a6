// SPDX-License-Identifier: Apache-2.0
#include "host/executor/documents.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "host/executor/values.hpp"

namespace flow::host {
namespace {

using docarray::DocumentProto;

// Of a message inside of another.
constexpr std::uint64_t kTagAndLength = 6;

flow_str view(const std::string& text) { return {text.data(), text.size()}; }

std::string_view as_text(flow_str text) {
  return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

google::protobuf::RepeatedPtrField<DocumentProto>* child_list(DocumentProto& document,
                                                              std::uint32_t kind) {
  switch (kind) {
    case FLOW_CHUNKS:
      return document.mutable_chunks();
    case FLOW_MATCHES:
      return document.mutable_matches();
    default:
      return nullptr;
  }
}

// What an answer has beside the documents of kept parts, and some more for our own route.
std::uint64_t size_without_documents(const jina::DataRequestProto& message) {
  constexpr std::uint64_t kOwnRoute = 256;
  std::uint64_t size =
      kOwnRoute + message.header().ByteSizeLong() + message.parameters().ByteSizeLong();
  for (const auto& route : message.routes()) size += route.ByteSizeLong() + kTagAndLength;
  return size;
}

// A call may use as many handles before its last part; the rest of an index's 32 bits is for that.
constexpr std::uint64_t kHandlesBeforeLastPart = std::uint64_t{1} << 31;

template <typename T>
void retire(std::vector<std::unique_ptr<T>>& shelf, T* value) {
  if (value != nullptr) shelf.emplace_back(value);
}

}  // namespace

Documents::Documents(jina::DataRequestProto& message, std::uint32_t tag, std::uint64_t bytes_max)
    : message_(message), tag_(tag), bytes_max_(bytes_max) {}

// ---- handles
// -------------------------------------------------------------------------------------

const void* Documents::handle(std::size_t index) const {
  static_assert(sizeof(void*) == 8, "a handle carries a tag and an index of 32 bits each");
  return reinterpret_cast<const void*>(std::uintptr_t{tag_} << 32 | (first_index_ + index));
}

Documents::Entry* Documents::find(const void* handle) {
  const auto number = reinterpret_cast<std::uintptr_t>(handle);
  const auto index = (number & UINT32_MAX) - first_index_;  // of a part before: wraps, too large
  if (number >> 32 != tag_ || index >= entries_.size()) return nullptr;
  Entry& entry = entries_[index];
  return is_removed(entry) ? nullptr : &entry;
}

// With a document its children are gone, too.
bool Documents::is_removed(const Entry& entry) const {
  if (removed_.empty()) return false;
  const Entry* current = &entry;
  while (!removed_.contains(current->document)) {
    if (current->parent == kNoParent) return false;
    current = &entries_[current->parent];
  }
  return true;
}

const void* Documents::add(Document& document, std::uint32_t parent) {
  entries_.push_back({&document, parent});
  return handle(entries_.size() - 1);
}

// ---- views
// ---------------------------------------------------------------------------------------

absl::StatusOr<flow_doc> Documents::view_document(Document& document, std::uint32_t parent) {
  flow_doc result{};
  result.id = view(document.id());
  result.text = view(document.text());
  result.uri = view(document.uri());
  result.mime_type = view(document.mime_type());
  result.blob = {reinterpret_cast<const std::uint8_t*>(document.blob().data()),
                 document.blob().size()};
  FLOW_ASSIGN_OR_RETURN(result.tensor, view_tensor(document.tensor(), retired_.copies));
  FLOW_ASSIGN_OR_RETURN(result.embedding, view_tensor(document.embedding(), retired_.copies));
  if (document.has_tags()) {
    result.tags = host::view(document.tags());
    fresh_tags_.erase(&document);
  }
  result.handle = add(document, parent);
  return result;
}

absl::StatusOr<flow_docs> Documents::view_list(List& list, std::uint32_t parent) {
  const auto count = static_cast<std::size_t>(list.size());
  auto views = std::make_unique<flow_doc[]>(count);
  entries_.reserve(entries_.size() + count);
  for (std::size_t i = 0; i < count; ++i) {
    FLOW_ASSIGN_OR_RETURN(views[i], view_document(*list.Mutable(static_cast<int>(i)), parent));
  }
  const flow_docs result{views.get(), count, sizeof(flow_doc), 0};
  retired_.views.push_back(std::move(views));
  return result;
}

absl::Status Documents::check_tensors(const List& list) {
  for (int i = 0; i < list.size(); ++i) {
    const auto& document = list.Get(i);
    const auto name = [&] { return fmt::format("document {} (id \"{}\")", i, document.id()); };
    for (const auto* array : {document.has_tensor() ? &document.tensor() : nullptr,
                              document.has_embedding() ? &document.embedding() : nullptr}) {
      if (array == nullptr) continue;
      if (auto view = view_tensor(*array, retired_.copies); !view.ok()) {
        return core::with_context(view.status(), name());
      }
    }
    for (const auto* children : {&document.chunks(), &document.matches()}) {
      if (children->empty()) continue;
      if (auto status = check_tensors(*children); !status.ok()) {
        return core::with_context(status, name());
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<flow_docs> Documents::view_roots() {
  // Do not turn a message without data into one with data.
  if (message_.data().docs().docs().empty()) return flow_docs{nullptr, 0, sizeof(flow_doc), 0};
  FLOW_RETURN_IF_ERROR(check_tensors(roots()));
  return view_list(roots(), kNoParent);
}

flow_docs Documents::children(const void* doc, std::uint32_t kind) {
  constexpr flow_docs kNone{nullptr, 0, sizeof(flow_doc), 0};
  const Entry* entry = find(doc);
  List* list = entry == nullptr ? nullptr : child_list(*entry->document, kind);
  if (list == nullptr || list->empty()) return kNone;
  const auto parent = static_cast<std::uint32_t>(entry - entries_.data());
  compact(*list);
  return view_list(*list, parent).value_or(kNone);
}

// ---- lists
// ---------------------------------------------------------------------------------------

flow_status Documents::append(const void* parent, std::uint32_t kind, const void** doc) {
  if (doc == nullptr) return FLOW_INVALID_ARGUMENT;
  if (parent == nullptr) {
    if (kind != FLOW_ROOT) return FLOW_INVALID_ARGUMENT;
    *doc = add(*roots().Add(), kNoParent);
    return FLOW_OK;
  }
  const Entry* entry = find(parent);
  List* list = entry == nullptr ? nullptr : child_list(*entry->document, kind);
  if (list == nullptr) return FLOW_INVALID_ARGUMENT;
  const Document& above = *entry->document;
  const auto index = static_cast<std::uint32_t>(entry - entries_.data());
  Document& child = *list->Add();
  // As DocArray does when a document joins a list of another.
  child.set_granularity(above.granularity() + (kind == FLOW_CHUNKS ? 1 : 0));
  child.set_adjacency(above.adjacency() + (kind == FLOW_MATCHES ? 1 : 0));
  if (kind == FLOW_CHUNKS) child.set_parent_id(above.id());
  *doc = add(child, index);
  return FLOW_OK;
}

// Only marks: dropping n documents one by one would move the rest n times.
flow_status Documents::remove(const void* doc) {
  const Entry* entry = find(doc);
  if (entry == nullptr) return FLOW_INVALID_ARGUMENT;
  removed_.insert(entry->document);
  if (entry->parent == kNoParent) {
    dirty_.insert(&roots());
  } else {
    auto& parent = *entries_[entry->parent].document;
    dirty_.insert({parent.mutable_chunks(), parent.mutable_matches()});
  }
  return FLOW_OK;
}

void Documents::compact(List& list) {
  if (dirty_.erase(&list) == 0) return;
  const auto kept = std::stable_partition(
      list.pointer_begin(), list.pointer_end(),
      [this](const Document* document) { return !removed_.contains(document); });
  const auto first = static_cast<int>(kept - list.pointer_begin());
  const auto count = list.size() - first;
  if (count == 0) return;
  std::vector<Document*> taken(static_cast<std::size_t>(count));
  list.ExtractSubrange(first, count, taken.data());
  for (auto* document : taken) retired_.documents.emplace_back(document);
}

void Documents::finish() {
  while (!dirty_.empty()) compact(**dirty_.begin());
}

// ---- parts
// ---------------------------------------------------------------------------------------

flow_status Documents::keep_part() {
  if (const auto status = check_handles_left(); status != FLOW_OK) return status;
  finish();
  std::uint64_t bytes = has_parts_ ? kept_bytes_ : size_without_documents(message_);
  const auto& documents = message_.data().docs().docs();
  for (int i = kept_count_; i < documents.size(); ++i) {
    bytes += documents.Get(i).ByteSizeLong() + kTagAndLength;
  }
  if (bytes > bytes_max_) return FLOW_RESOURCE_EXHAUSTED;
  kept_count_ = documents.size();
  kept_bytes_ = bytes;
  begin_part();
  return FLOW_OK;
}

flow_status Documents::take_part(std::vector<std::unique_ptr<Document>>& part) {
  if (const auto status = check_handles_left(); status != FLOW_OK) return status;
  finish();
  const auto& documents = message_.data().docs().docs();
  for (const auto& document : documents) {
    if (document.ByteSizeLong() > bytes_max_) return FLOW_RESOURCE_EXHAUSTED;
  }
  if (!documents.empty()) {
    std::vector<Document*> taken(static_cast<std::size_t>(documents.size()));
    roots().ExtractSubrange(0, documents.size(), taken.data());
    for (auto* document : taken) part.emplace_back(document);
  }
  begin_part();
  return FLOW_OK;
}

flow_status Documents::check_handles_left() const {
  return first_index_ + entries_.size() <= kHandlesBeforeLastPart ? FLOW_OK
                                                                  : FLOW_RESOURCE_EXHAUSTED;
}

// The documents of the part that ends are out of reach, so nothing may speak of them: their memory
// is used again.
void Documents::begin_part() {
  if (!std::exchange(has_parts_, true)) retired_before_parts_ = std::move(retired_);
  retired_ = {};
  first_index_ += entries_.size();
  entries_.clear();
  removed_.clear();
  fresh_tags_.clear();
}

// ---- fields
// --------------------------------------------------------------------------------------

flow_status Documents::check_text(flow_str text) const {
  if (!is_readable(text)) return FLOW_INVALID_ARGUMENT;
  if (text.size > bytes_max_) return FLOW_RESOURCE_EXHAUSTED;
  // protobuf's strings are UTF-8: a receiver would refuse the whole message for one that is not.
  return core::is_valid_utf8(as_text(text)) ? FLOW_OK : FLOW_INVALID_ARGUMENT;
}

// Text, blob and tensor share one slot.
void Documents::retire_content(Document& document) {
  switch (document.content_case()) {
    case Document::kText:
      return retire(retired_.strings, document.release_text());
    case Document::kBlob:
      return retire(retired_.strings, document.release_blob());
    case Document::kTensor:
      return retire(retired_.arrays, document.release_tensor());
    case Document::CONTENT_NOT_SET:
      return;
  }
}

flow_status Documents::set_id(const void* doc, flow_str id) {
  const Entry* entry = find(doc);
  if (entry == nullptr) return FLOW_INVALID_ARGUMENT;
  if (const auto status = check_text(id); status != FLOW_OK) return status;
  std::string copy(as_text(id));  // before the old one goes: the text may point into it
  retire(retired_.strings, entry->document->release_id());
  entry->document->set_id(std::move(copy));
  return FLOW_OK;
}

flow_status Documents::set_text(const void* doc, flow_str text) {
  const Entry* entry = find(doc);
  if (entry == nullptr) return FLOW_INVALID_ARGUMENT;
  if (const auto status = check_text(text); status != FLOW_OK) return status;
  std::string copy(as_text(text));
  retire_content(*entry->document);
  entry->document->set_text(std::move(copy));
  return FLOW_OK;
}

flow_status Documents::set_uri(const void* doc, flow_str uri) {
  const Entry* entry = find(doc);
  if (entry == nullptr) return FLOW_INVALID_ARGUMENT;
  if (const auto status = check_text(uri); status != FLOW_OK) return status;
  std::string copy(as_text(uri));
  retire(retired_.strings, entry->document->release_uri());
  entry->document->set_uri(std::move(copy));
  return FLOW_OK;
}

flow_status Documents::set_mime_type(const void* doc, flow_str type) {
  const Entry* entry = find(doc);
  if (entry == nullptr) return FLOW_INVALID_ARGUMENT;
  if (const auto status = check_text(type); status != FLOW_OK) return status;
  std::string copy(as_text(type));
  retire(retired_.strings, entry->document->release_mime_type());
  entry->document->set_mime_type(std::move(copy));
  return FLOW_OK;
}

flow_status Documents::new_blob(const void* doc, std::uint64_t size, std::uint8_t** bytes) {
  const Entry* entry = find(doc);
  if (entry == nullptr || bytes == nullptr) return FLOW_INVALID_ARGUMENT;
  if (size > bytes_max_) return FLOW_RESOURCE_EXHAUSTED;
  retire_content(*entry->document);
  auto& blob = *entry->document->mutable_blob();
  blob.resize(size);
  *bytes = reinterpret_cast<std::uint8_t*>(blob.data());
  return FLOW_OK;
}

flow_status Documents::new_tensor(const void* doc, std::uint32_t field, const flow_tensor* shape,
                                  void** elements) {
  const Entry* entry = find(doc);
  if (entry == nullptr || elements == nullptr || shape == nullptr) return FLOW_INVALID_ARGUMENT;
  if (field != FLOW_TENSOR && field != FLOW_EMBEDDING) return FLOW_INVALID_ARGUMENT;
  if (shape->shape == nullptr && shape->ndim > 0) return FLOW_INVALID_ARGUMENT;
  const auto type = format_dtype(shape->dtype);
  if (!type) return FLOW_INVALID_ARGUMENT;
  const std::vector<std::uint32_t> extents(shape->shape, shape->shape + shape->ndim);
  const auto size = tensor_size(shape->dtype, extents);
  if (!size || *size > bytes_max_) return FLOW_RESOURCE_EXHAUSTED;

  Document& document = *entry->document;
  if (field == FLOW_TENSOR) {
    retire_content(document);
  } else {
    retire(retired_.arrays, document.release_embedding());
  }
  auto& array = field == FLOW_TENSOR ? *document.mutable_tensor() : *document.mutable_embedding();
  array.set_cls_name("numpy");
  auto& dense = *array.mutable_dense();
  dense.set_dtype(std::string(*type));
  dense.mutable_shape()->Add(extents.begin(), extents.end());
  dense.mutable_buffer()->resize(*size);
  *elements = dense.mutable_buffer()->data();
  return FLOW_OK;
}

// The first edit after a view was taken copies: an old view may walk the old map.
google::protobuf::Struct& Documents::editable_tags(Document& document) {
  if (fresh_tags_.insert(&document).second && document.has_tags()) {
    auto copy = std::make_unique<google::protobuf::Struct>(document.tags());
    retire(retired_.tags, document.release_tags());
    document.set_allocated_tags(copy.release());
  }
  return *document.mutable_tags();
}

flow_status Documents::set_tag(const void* doc, flow_str key, const flow_value* value) {
  const Entry* entry = find(doc);
  if (entry == nullptr || value == nullptr) return FLOW_INVALID_ARGUMENT;
  if (const auto status = check_text(key); status != FLOW_OK) return status;
  if (value->kind == FLOW_STRING && value->as.text.size > bytes_max_) {
    return FLOW_RESOURCE_EXHAUSTED;
  }
  const std::string name(as_text(key));
  if (value->kind == FLOW_NULL) {
    if (entry->document->has_tags()) editable_tags(*entry->document).mutable_fields()->erase(name);
    return FLOW_OK;
  }
  google::protobuf::Value copy;
  if (!assign(*value, copy)) return FLOW_INVALID_ARGUMENT;
  (*editable_tags(*entry->document).mutable_fields())[name] = std::move(copy);
  return FLOW_OK;
}

flow_status Documents::set_score(const void* doc, flow_str name, double value) {
  const Entry* entry = find(doc);
  if (entry == nullptr || std::isnan(value)) return FLOW_INVALID_ARGUMENT;
  if (const auto status = check_text(name); status != FLOW_OK) return status;
  (*entry->document->mutable_scores())[std::string(as_text(name))].set_value(
      static_cast<float>(value));
  return FLOW_OK;
}

}  // namespace flow::host
