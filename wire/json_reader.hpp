// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/limits.hpp"
#include "wire/json_problem.hpp"

// JSON as clients of Jina 3 write it, to the bytes of a jina.DataRequestProto, in one pass and
// without a tree. Everything in the text is validated, what is ignored too. The rules both
// functions share:
// - Members that nobody knows are ignored. `null` is as good as absent. If a member occurs twice,
//   the last wins.
// - Documents are snake_case; `blob` is base64; `tensor` and `embedding` are nested lists (see
//   json_tensor.hpp); null in `location` is NaN; a document has one of blob, tensor and text.
// - Depths are bounded by core/limits.hpp, lengths by the caller.
// The text need not be padded or end in a zero; it is neither changed nor kept.
namespace flow::wire {

struct JsonRequestOptions {
  std::string_view request_id;  // the text's own is ignored
  std::string_view endpoint = "/";
  // Whether the text may name another one.
  enum class Endpoint : std::uint8_t { Default, Fixed } endpoint_is = Endpoint::Default;
  // Whether the member "data" may be absent. WebSocket clients must send it.
  enum class Data : std::uint8_t { Optional, Required } data = Data::Optional;
  // Makes the ids of documents that have none: 32 hexadecimal digits. Must be set.
  std::function<std::string()> new_document_id;
  // Of the message that is made. It may be larger than its text: ids are added to documents.
  std::size_t message_max = core::limits::kMessageBytesMax;
};

// {"data":[{document}...] or {"docs":[...]} or null, "execEndpoint", "targetExecutor",
// "parameters":{...}}; the members of snake_case are accepted as well. Chunks are given their
// parent's id and the next granularity, matches the next adjacency, where these are absent.
// `framed` (see wire/grpc.hpp) is overwritten; after a problem its content means nothing.
std::optional<JsonProblem> read_data_request(std::string_view json,
                                             const JsonRequestOptions& options,
                                             std::string& framed);

// {"header":{...},"parameters":{...},"routes":[...],"data":[...]}: what write_data_response writes,
// for clients. Documents are taken as they are.
std::optional<JsonProblem> read_data_response(std::string_view json, std::string& framed);

}  // namespace flow::wire
