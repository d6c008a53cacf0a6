// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "core/limits.hpp"

// The bytes of messages to JSON as clients of Jina 3 expect it, in one pass and without a tree. The
// rules that all functions share:
// - They append to `out`; after an error it is what it was.
// - The JSON is compact and always valid: bytes that are not UTF-8 become U+FFFD, NaN and infinity
//   become null.
// - Documents are snake_case. Tensors are nested lists (see json_tensor.hpp), blobs base64. Numbers
//   of tags and parameters are doubles, so that 1 reads `1.0`.
// - Unknown fields are passed over, `_metadata` too. kInvalidArgument: a field is of another type,
// a
//   field occurs twice that may occur once, something nests too deep. kUnimplemented: `docs_bytes`
//   and sparse arrays. kResourceExhausted: the text would have more than `json_max` bytes; a
//   message of empty documents is hundreds of times as long in JSON.
namespace flow::wire {

enum class JsonStyle : std::uint8_t {
  Http,       // camelCase around documents, everything present, times end in "+00:00"
  WebSocket,  // snake_case, what is absent stays absent, times end in "Z"
};

constexpr std::size_t kJsonMax = core::limits::kMessageBytesMax;

// A jina.DataRequestProto as an answer: header, parameters, routes, data. In both styles documents
// have all their members, null where absent.
absl::Status write_data_response(std::string_view payload, JsonStyle style, std::string& out,
                                 std::size_t json_max = kJsonMax);

// The answer over HTTP to a request that could not be served: its header with `status` (a
// serialised jina.StatusProto), its documents, null for parameters and routes.
absl::Status write_failed_request(std::string_view payload, std::string_view status,
                                  std::string& out, std::size_t json_max = kJsonMax);

// A jina.DataRequestProto as a client posts it: data, execEndpoint, targetExecutor, parameters, and
// of each only what is there.
absl::Status write_data_request(std::string_view payload, std::string& out,
                                std::size_t json_max = kJsonMax);

// One docarray.DocumentProto with all its members.
absl::Status write_document(std::string_view document, std::string& out,
                            std::size_t json_max = kJsonMax);

// A jina.StatusProto: {"code":0,"description":"","exception":null}.
absl::Status write_status(std::string_view status, std::string& out,
                          std::size_t json_max = kJsonMax);

}  // namespace flow::wire
