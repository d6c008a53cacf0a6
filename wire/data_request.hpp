// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

// jina.DataRequestProto as bytes. Routing needs a handful of header fields; documents are carried
// along unread.
namespace flow::wire {

using WallTime = std::chrono::system_clock::time_point;

// Where things are in a serialised DataRequestProto. Views into it.
struct DataRequestView {
  std::string_view request_id;
  std::string_view status;  // serialised StatusProto; empty if there is none, or if it is success
  std::optional<std::string_view> exec_endpoint;
  std::string_view target_executor;
  std::uint32_t timeout_ms = 0;  // 0: none
  std::string_view parameters;   // the whole field, tag included, or empty
  std::string_view data;         // the whole field, tag included, or empty
  // Nothing in it but what an executor should see, each field at most once: may go on unchanged.
  bool canonical = false;

  bool is_error() const { return !status.empty(); }
};

// Cuts a payload. An error if it is no message, if a string that we repeat is not UTF-8, or if a
// field that occurs once by rights occurs again (protobuf would merge those; see canonicalise).
absl::StatusOr<DataRequestView> scan_data_request(std::string_view payload);

// The id that a message is told by, although something else in it may be wrong; empty if it cannot
// be made out.
std::string_view find_request_id(std::string_view payload);

// The same message with each field once, by parsing and serialising it with libprotobuf: for the
// rare client that sends a concatenation. An error if it is no DataRequestProto.
absl::StatusOr<std::string> canonicalise_data_request(std::string_view payload);

// One entry of `routes`.
struct RouteEntry {
  std::string_view executor;
  WallTime start{};
  std::optional<WallTime> end;   // nullopt: it was skipped
  std::string_view status = {};  // serialised StatusProto, or empty
};

// What an executor is sent: the request without routes, status and target, framed. The id and
// endpoint are the caller's, whatever the executor before made of them.
std::string executor_request(const DataRequestView& request, std::string_view request_id,
                             std::optional<std::string_view> exec_endpoint);

// What the caller is sent: the last executor's answer (or the request itself) with our routes,
// framed.
std::string caller_response(const DataRequestView& answer, std::string_view request_id,
                            std::optional<std::string_view> exec_endpoint,
                            const std::vector<RouteEntry>& routes);

}  // namespace flow::wire
