// SPDX-License-Identifier: Apache-2.0
#include "wire/data_request.hpp"

#include "core/status.hpp"
#include "core/text.hpp"
#include "jina.pb.h"
#include "wire/grpc.hpp"
#include "wire/protobuf.hpp"

namespace flow::wire {
namespace {

// Field numbers of jina.proto.
constexpr std::uint32_t kHeader = 1, kParameters = 2, kRoutes = 3, kData = 4;
constexpr std::uint32_t kRequestId = 1, kStatus = 2, kExecEndpoint = 3, kTargetExecutor = 4,
                        kTimeout = 5;
constexpr std::uint32_t kStatusCode = 1;
constexpr std::uint32_t kRouteExecutor = 1, kRouteStart = 2, kRouteEnd = 3, kRouteStatus = 4;
constexpr std::uint32_t kSeconds = 1, kNanos = 2;

absl::Status malformed(std::string_view what) {
  return core::error(absl::StatusCode::kInvalidArgument, what);
}

bool status_is_error(std::string_view status) {
  WireReader reader(status);
  while (const auto field = reader.next()) {
    if (field->number == kStatusCode && field->type == WireType::Varint) return field->varint != 0;
  }
  return false;
}

// Fills the header's part of the view; false if a field occurs twice or is of another type.
absl::StatusOr<bool> scan_header(std::string_view header, DataRequestView& view) {
  WireReader reader(header);
  std::uint32_t seen = 0;
  bool plain = true;
  while (const auto field = reader.next()) {
    if (field->number > kTimeout) {
      plain = false;  // unknown: goes no further than us
      continue;
    }
    const bool varint = field->number == kTimeout;
    if ((field->type == WireType::Varint) != varint || (seen >> field->number & 1) != 0) {
      return malformed("DataRequestProto.header holds a field twice or of another type");
    }
    seen |= 1u << field->number;
    switch (field->number) {
      case kRequestId:
        view.request_id = field->bytes;
        break;
      case kStatus:
        if (status_is_error(field->bytes)) view.status = field->bytes;
        plain = false;
        break;
      case kExecEndpoint:
        view.exec_endpoint = field->bytes;
        break;
      case kTargetExecutor:
        view.target_executor = field->bytes;
        break;
      default:
        view.timeout_ms = static_cast<std::uint32_t>(field->varint);
    }
  }
  if (reader.malformed()) return malformed("DataRequestProto.header is not a protobuf message");
  if (!core::is_valid_utf8(view.request_id) || !core::is_valid_utf8(view.target_executor) ||
      !core::is_valid_utf8(view.exec_endpoint.value_or(""))) {
    return malformed("DataRequestProto.header holds a string that is not UTF-8");
  }
  return plain;
}

void append_timestamp(std::string& out, std::uint32_t number, WallTime time) {
  using namespace std::chrono;
  const auto since = time.time_since_epoch();
  const auto whole = floor<seconds>(since);
  const auto nanos = duration_cast<nanoseconds>(since - whole).count();
  const std::size_t size = 1 + varint_size(static_cast<std::uint64_t>(whole.count())) +
                           (nanos == 0 ? 0 : 1 + varint_size(static_cast<std::uint64_t>(nanos)));
  append_varint(out, number << 3 | 2);
  append_varint(out, size);
  append_varint_field(out, kSeconds, static_cast<std::uint64_t>(whole.count()));
  if (nanos != 0) append_varint_field(out, kNanos, static_cast<std::uint64_t>(nanos));
}

void append_route(std::string& out, const RouteEntry& route, std::string& scratch) {
  scratch.clear();
  append_bytes_field(scratch, kRouteExecutor, route.executor);
  append_timestamp(scratch, kRouteStart, route.start);
  if (route.end) append_timestamp(scratch, kRouteEnd, *route.end);
  if (!route.status.empty()) append_bytes_field(scratch, kRouteStatus, route.status);
  append_bytes_field(out, kRoutes, scratch);
}

}  // namespace

absl::StatusOr<DataRequestView> scan_data_request(std::string_view payload) {
  DataRequestView view;
  view.canonical = true;
  WireReader reader(payload);
  std::uint32_t seen = 0;
  while (const auto field = reader.next()) {
    if (field->number > kData) {
      view.canonical = false;
      continue;
    }
    if (field->type != WireType::Bytes) return malformed("DataRequestProto: field of another type");
    if (field->number == kRoutes) {
      view.canonical = false;
      continue;
    }
    if ((seen >> field->number & 1) != 0) return malformed("DataRequestProto: field occurs twice");
    seen |= 1u << field->number;
    if (field->number == kHeader) {
      FLOW_ASSIGN_OR_RETURN(const bool plain, scan_header(field->bytes, view));
      view.canonical = view.canonical && plain;
    } else if (field->number == kParameters) {
      view.parameters = field->whole;
    } else {
      view.data = field->whole;
    }
  }
  if (reader.malformed()) return malformed("DataRequestProto: not a protobuf message");
  view.canonical = view.canonical && !view.request_id.empty();
  return view;
}

std::string_view find_request_id(std::string_view payload) {
  WireReader message(payload);
  while (const auto field = message.next()) {
    if (field->number != kHeader || field->type != WireType::Bytes) continue;
    WireReader header(field->bytes);
    while (const auto inner = header.next()) {
      if (inner->number != kRequestId || inner->type != WireType::Bytes) continue;
      return core::is_valid_utf8(inner->bytes) ? inner->bytes : std::string_view();
    }
  }
  return {};
}

absl::StatusOr<std::string> canonicalise_data_request(std::string_view payload) {
  jina::DataRequestProto message;
  if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return malformed("cannot parse the request as jina.DataRequestProto");
  }
  message.DiscardUnknownFields();
  return message.SerializeAsString();
}

std::string executor_request(const DataRequestView& request, std::string_view request_id,
                             std::optional<std::string_view> exec_endpoint) {
  std::string header;
  append_bytes_field(header, kRequestId, request_id);
  if (exec_endpoint) append_bytes_field(header, kExecEndpoint, *exec_endpoint);

  std::string framed;
  framed.reserve(kFramePrefix + header.size() + 12 + request.parameters.size() +
                 request.data.size());
  framed.append(kFramePrefix, '\0');
  append_bytes_field(framed, kHeader, header);
  framed.append(request.parameters).append(request.data);
  write_frame_prefix(framed);
  return framed;
}

std::string caller_response(const DataRequestView& answer, std::string_view request_id,
                            std::optional<std::string_view> exec_endpoint,
                            const std::vector<RouteEntry>& routes) {
  std::string header;
  append_bytes_field(header, kRequestId, request_id);
  if (answer.is_error()) append_bytes_field(header, kStatus, answer.status);
  if (exec_endpoint) append_bytes_field(header, kExecEndpoint, *exec_endpoint);
  // Present and empty, as the reference answers: the target was this hop's business.
  append_bytes_field(header, kTargetExecutor, "");

  std::size_t routes_size = 0;
  for (const RouteEntry& route : routes) {
    routes_size += 64 + route.executor.size() + route.status.size();
  }
  std::string framed;
  framed.reserve(kFramePrefix + header.size() + 12 + answer.parameters.size() + routes_size +
                 answer.data.size());
  framed.append(kFramePrefix, '\0');
  append_bytes_field(framed, kHeader, header);
  framed.append(answer.parameters);
  std::string scratch;
  for (const RouteEntry& route : routes) append_route(framed, route, scratch);
  framed.append(answer.data);
  write_frame_prefix(framed);
  return framed;
}

}  // namespace flow::wire
