// SPDX-License-Identifier: Apache-2.0
#include "wire/json_reader.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "absl/strings/escaping.h"
#include "fmt/format.h"
#include "wire/grpc.hpp"
#include "wire/json_cursor.hpp"
#include "wire/json_schema.hpp"
#include "wire/json_struct.hpp"
#include "wire/json_tensor.hpp"
#include "wire/json_time.hpp"
#include "wire/protobuf.hpp"

namespace flow::wire {
namespace {

using google::protobuf::Timestamp;
using schema::Member;
using schema::Shape;
using Kind = JsonCursor::Kind;

// How many messages the outermost documents are inside of: request, data, docs.
constexpr std::size_t kDocumentDepth = 3;

// Where each member of an object has been written, so that one that comes again replaces itself.
// Bytes move only behind what is replaced, and at most once per member for each time they are
// written: a text cannot make this quadratic.
class Written {
 public:
  explicit Written(std::string& out) : out_(out) {}

  void begin(std::size_t member) {
    Range& range = ranges_[member];
    if (range.size > 0) {
      out_.erase(range.start, range.size);
      for (Range& other : ranges_) {
        if (other.start > range.start) other.start -= range.size;
      }
    }
    range = {out_.size(), 0};
  }
  void end(std::size_t member) { ranges_[member].size = out_.size() - ranges_[member].start; }

  bool has(std::size_t member) const { return ranges_[member].size > 0; }
  std::string_view bytes(std::size_t member) const {
    return std::string_view(out_).substr(ranges_[member].start, ranges_[member].size);
  }

 private:
  struct Range {
    std::size_t start = 0;
    std::size_t size = 0;
  };
  std::string& out_;
  std::array<Range, schema::kMembersMax> ranges_{};
};

constexpr std::size_t index_of(std::string_view name) {
  std::size_t index = 0;
  while (schema::kDocumentMembers[index].name != name) ++index;
  return index;
}
constexpr std::size_t kId = index_of("id"), kParentId = index_of("parent_id"),
                      kGranularity = index_of("granularity"), kAdjacency = index_of("adjacency"),
                      kChunks = index_of("chunks"), kMatches = index_of("matches");

// What a document tells those inside of it.
struct Parent {
  std::string id;
  std::uint32_t granularity = 0;
  std::uint32_t adjacency = 0;
};
enum class Relation : std::uint8_t { Root, Chunk, Match };

std::uint32_t next(std::uint32_t level) {
  return level == std::numeric_limits<std::uint32_t>::max() ? level : level + 1;
}

// The value of a field that this file has written.
WireField field_in(std::string_view bytes) {
  return WireReader(bytes).next().value_or(WireField{});
}

class Reader {
 public:
  // Without options documents are taken as they are.
  Reader(std::string_view json, const JsonRequestOptions* options, std::string& out)
      : cursor_(json), options_(options), out_(out) {
    out_.clear();
    out_.reserve(kFramePrefix + json.size());
    out_.append(kFramePrefix, '\0');
  }

  std::optional<JsonProblem> request() {
    std::string endpoint(options_->endpoint);
    std::string target;
    bool has_data = false;
    Written written(out_);
    const std::size_t start = enter_root();
    std::string_view key;
    while (cursor_.next_member(key)) {
      if (key == schema::kRequestData.name) {
        has_data = true;
        value(schema::kRequestData, written, kDataSlot);
      } else if (key == schema::kRequestParameters.name) {
        value(schema::kRequestParameters, written, kParametersSlot);
      } else if (key == "execEndpoint" || key == "exec_endpoint") {
        endpoint = text_or(options_->endpoint);
      } else if (key == "targetExecutor" || key == "target_executor") {
        target = text_or("");
      } else {
        cursor_.skip();
      }
    }
    if (!has_data && options_->data == JsonRequestOptions::Data::Required) {
      cursor_.fail_missing(start, schema::kRequestData.name);
    }
    const bool fixed = options_->endpoint_is == JsonRequestOptions::Endpoint::Fixed;
    const OpenField header = open_field(out_, schema::kRequestHeader.number);
    append_bytes_field(out_, schema::Header::kRequestIdFieldNumber, options_->request_id);
    append_bytes_field(out_, schema::Header::kExecEndpointFieldNumber,
                       fixed ? options_->endpoint : std::string_view(endpoint));
    if (!target.empty()) {
      append_bytes_field(out_, schema::Header::kTargetExecutorFieldNumber, target);
    }
    close_field(out_, header);
    check_size(start);
    return finish();
  }

  std::optional<JsonProblem> response() {
    message(schema::kRequest, 0);
    return finish();
  }

 private:
  // What `Written` calls the members of a request.
  enum Slot : std::size_t { kParametersSlot, kDataSlot };

  std::size_t enter_root() {
    cursor_.kind();
    const std::size_t start = cursor_.position();
    cursor_.enter_object();
    return start;
  }

  std::optional<JsonProblem> finish() {
    if (!cursor_.finish()) return cursor_.problem();
    write_frame_prefix(out_);
    return std::nullopt;
  }

  void check_size(std::size_t position) {
    const std::size_t max = options_ ? options_->message_max : core::limits::kMessageBytesMax;
    if (out_.size() - kFramePrefix <= max) return;
    cursor_.fail(position, fmt::format("as a message this request is larger than {} bytes", max),
                 "value_error.too_large");
  }

  std::string text_or(std::string_view instead) {
    return std::string(cursor_.take_null() ? instead : cursor_.string());
  }

  void data() {
    const OpenField content = open_field(out_, schema::kRequestData.number, cursor_.remaining());
    const OpenField docs = open_field(out_, schema::Content::kDocsFieldNumber, cursor_.remaining());
    if (cursor_.kind() == Kind::Object) {
      docs_object();
    } else {
      documents(schema::kDocumentsMember.number, kDocumentDepth, Relation::Root, {});
    }
    close_field(out_, docs);
    close_field(out_, content);
  }

  // {"docs":[...]}
  void docs_object() {
    const std::size_t start = cursor_.position();
    cursor_.enter_object();
    bool has_docs = false;
    Written written(out_);
    std::string_view key;
    while (cursor_.next_member(key)) {
      if (key != "docs") {
        cursor_.skip();
        continue;
      }
      has_docs = true;
      written.begin(0);
      if (!cursor_.take_null()) {
        documents(schema::kDocumentsMember.number, kDocumentDepth, Relation::Root, {});
      }
      written.end(0);
    }
    if (!has_docs) cursor_.fail_missing(start, "docs");
  }

  void documents(std::uint32_t number, std::size_t depth, Relation relation, const Parent& parent) {
    if (!cursor_.enter_list()) return;
    constexpr std::size_t kTypicalSize = 1024;
    while (cursor_.next_element()) {
      nested(
          number, [&] { document(depth, relation, parent); }, kTypicalSize);
    }
  }

  void document(std::size_t depth, Relation relation, const Parent& parent) {
    if (!cursor_.expect(Kind::Object)) return;
    const std::size_t start = cursor_.position();
    if (depth >= kDocumentDepth + core::limits::kDocumentDepthMax) {
      return cursor_.fail(start, fmt::format("documents may nest {} deep, not deeper",
                                             core::limits::kDocumentDepthMax));
    }
    Written written(out_);
    // Chunks and matches are told who their parent is, so they are read when that is known.
    std::array<std::optional<std::size_t>, schema::kMembersMax> later{};
    members(schema::kDocument, written, depth, [&](std::size_t index) {
      if (schema::kDocumentMembers[index].shape != Shape::Documents) return false;
      later[index] = cursor_.position();
      return true;
    });
    if (!cursor_.ok()) return;
    if (content_count(written) > 1) {
      return cursor_.fail(start, "a document has one of blob, tensor and text, this one has more");
    }
    complete(written, relation, parent);
    check_size(start);

    const std::size_t end = cursor_.position();
    Parent self;
    if (later[kChunks] || later[kMatches]) self = as_parent(written);
    inner_documents(kChunks, later[kChunks], depth, Relation::Chunk, self);
    inner_documents(kMatches, later[kMatches], depth, Relation::Match, self);
    cursor_.move_to(end);
  }

  void inner_documents(std::size_t index, std::optional<std::size_t> position, std::size_t depth,
                       Relation relation, const Parent& parent) {
    if (!position) return;
    cursor_.move_to(*position);
    if (cursor_.take_null()) return;
    documents(schema::kDocumentMembers[index].number, depth + 1, relation, parent);
  }

  static std::size_t content_count(const Written& written) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < std::size(schema::kDocumentMembers); ++i) {
      if (schema::is_content(schema::kDocumentMembers[i].number) && written.has(i)) ++count;
    }
    return count;
  }

  // Adds what a client may leave out.
  void complete(Written& written, Relation relation, const Parent& parent) {
    if (!options_) return;
    const auto absent = [&](std::size_t member) {
      const bool missing = !written.has(member);
      if (missing) written.begin(member);
      return missing;
    };
    if (absent(kId) || field_in(written.bytes(kId)).bytes.empty()) {
      written.begin(kId);
      append_bytes_field(out_, schema::Document::kIdFieldNumber, options_->new_document_id());
      written.end(kId);
    }
    if (relation == Relation::Chunk && absent(kParentId)) {
      append_bytes_field(out_, schema::Document::kParentIdFieldNumber, parent.id);
      written.end(kParentId);
    }
    if (relation == Relation::Chunk && absent(kGranularity)) {
      append_varint_field(out_, schema::Document::kGranularityFieldNumber,
                          next(parent.granularity));
      written.end(kGranularity);
    }
    if (relation == Relation::Match && absent(kAdjacency)) {
      append_varint_field(out_, schema::Document::kAdjacencyFieldNumber, next(parent.adjacency));
      written.end(kAdjacency);
    }
  }

  static Parent as_parent(const Written& written) {
    Parent parent;
    parent.id = std::string(field_in(written.bytes(kId)).bytes);
    parent.granularity = static_cast<std::uint32_t>(field_in(written.bytes(kGranularity)).varint);
    parent.adjacency = static_cast<std::uint32_t>(field_in(written.bytes(kAdjacency)).varint);
    return parent;
  }

  // The members of the object that comes next, as fields. `put_off(index)` is asked with the cursor
  // before the value, and if it takes the value over, the value is only passed.
  template <typename PutOff>
  void members(const schema::Message& message, Written& written, std::size_t depth,
               PutOff&& put_off) {
    if (!cursor_.enter_object()) return;
    std::string_view key;
    while (cursor_.next_member(key)) {
      const auto member = std::find_if(
          message.members.begin(), message.members.end(), [&](const Member& candidate) {
            return candidate.name == key ||
                   (!candidate.camel_case.empty() && candidate.camel_case == key);
          });
      const auto index = static_cast<std::size_t>(member - message.members.begin());
      if (member == message.members.end() || put_off(index)) {
        cursor_.skip();
        continue;
      }
      value(*member, written, index, depth);
    }
  }

  void message(const schema::Message& message, std::size_t depth) {
    Written written(out_);
    members(message, written, depth, [](std::size_t) { return false; });
  }

  // Instead of what the member has been before, if it has.
  void value(const Member& member, Written& written, std::size_t index, std::size_t depth = 0) {
    written.begin(index);
    value(member, depth);
    written.end(index);
  }

  // The value of a member of a message that is inside of `depth` others.
  void value(const Member& member, std::size_t depth) {
    if (cursor_.take_null()) return;
    switch (member.shape) {
      case Shape::String:
        append_bytes_field(out_, member.number, cursor_.string());
        break;
      case Shape::Strings:
        list([&] { append_bytes_field(out_, member.number, cursor_.string()); });
        break;
      case Shape::Base64:
        base64(member.number);
        break;
      case Shape::Count:
        integer(member.number, 0, std::numeric_limits<std::uint32_t>::max());
        break;
      case Shape::Code:
        integer(member.number, std::numeric_limits<std::int32_t>::min(),
                std::numeric_limits<std::int32_t>::max());
        break;
      case Shape::Float:
        append_float_field(out_, member.number, single());
        break;
      case Shape::Floats:
        list([&] { append_float_field(out_, member.number, single_or_nan()); });
        break;
      case Shape::Time:
        time(member.number);
        break;
      case Shape::Struct:
        nested(member.number, [&] { read_struct(cursor_, depth + 1, out_); });
        break;
      case Shape::Tensor:
        nested(member.number, [&] { read_tensor(cursor_, out_); });
        break;
      case Shape::Scores:
        scores(member.number, depth);
        break;
      case Shape::Message:
        nested(member.number, [&] { message(*member.message, depth + 1); });
        break;
      case Shape::Messages:
        list([&] { nested(member.number, [&] { message(*member.message, depth + 1); }); });
        break;
      case Shape::Data:
        data();
        break;
      case Shape::Documents:  // put off by document()
        cursor_.skip();
        break;
    }
  }

  template <typename Element>
  void list(Element&& element) {
    if (!cursor_.enter_list()) return;
    while (cursor_.next_element()) element();
  }

  template <typename Inside>
  void nested(std::uint32_t number, Inside&& inside, std::size_t size_guess = 0) {
    const OpenField field = open_field(out_, number, size_guess);
    inside();
    close_field(out_, field);
  }

  void base64(std::uint32_t number) {
    cursor_.kind();
    const std::size_t start = cursor_.position();
    const std::string_view text = cursor_.string();
    std::string bytes;
    if (!absl::Base64Unescape(absl::string_view(text.data(), text.size()), &bytes)) {
      return cursor_.fail(start, "expected base64, found something else");
    }
    append_bytes_field(out_, number, bytes);
  }

  void integer(std::uint32_t number, std::int64_t min, std::int64_t max) {
    if (!cursor_.expect(Kind::Number)) return;
    const std::size_t start = cursor_.position();
    const JsonCursor::Number found = cursor_.number();
    // Clients that know only floats write 1.0.
    const bool integral = found.integer || found.value == std::trunc(found.value);
    if (!integral || found.value < static_cast<double>(min) ||
        found.value > static_cast<double>(max)) {
      return cursor_.fail(start, fmt::format("expected an integer from {} to {}", min, max),
                          "type_error.integer");
    }
    append_varint_field(out_, number,
                        static_cast<std::uint64_t>(static_cast<std::int64_t>(found.value)));
  }

  // As in tensors.
  float single_or_nan() {
    return cursor_.take_null() ? std::numeric_limits<float>::quiet_NaN() : single();
  }

  float single() {
    static_assert(std::numeric_limits<float>::is_iec559, "what is too large becomes infinite");
    if (!cursor_.expect(Kind::Number)) return 0;
    const std::size_t start = cursor_.position();
    const double found = cursor_.number().value;
    const auto value = static_cast<float>(found);
    if (!std::isfinite(value)) cursor_.fail(start, "number is out of the range of a 32-bit float");
    return value;
  }

  void time(std::uint32_t number) {
    cursor_.kind();
    const std::size_t start = cursor_.position();
    const std::optional<wire::Timestamp> time = parse_time(cursor_.string());
    if (!time) {
      return cursor_.fail(start, "expected a time such as 2026-11-22T06:59:16.307488+00:00",
                          "value_error.datetime");
    }
    nested(number, [&] {
      append_varint_field(out_, Timestamp::kSecondsFieldNumber,
                          static_cast<std::uint64_t>(time->seconds));
      append_varint_field(out_, Timestamp::kNanosFieldNumber,
                          static_cast<std::uint64_t>(time->nanos));
    });
  }

  void scores(std::uint32_t number, std::size_t depth) {
    if (!cursor_.enter_object()) return;
    std::string_view key;
    while (cursor_.next_member(key)) {
      nested(number, [&] {
        append_bytes_field(out_, schema::kMapKey, key);
        nested(schema::kMapValue, [&] { message(schema::kScore, depth + 2); });
      });
    }
  }

  JsonCursor cursor_;
  const JsonRequestOptions* options_;
  std::string& out_;
};

}  // namespace

std::optional<JsonProblem> read_data_request(std::string_view json,
                                             const JsonRequestOptions& options,
                                             std::string& framed) {
  return Reader(json, &options, framed).request();
}

std::optional<JsonProblem> read_data_response(std::string_view json, std::string& framed) {
  return Reader(json, nullptr, framed).response();
}

}  // namespace flow::wire
