// SPDX-License-Identifier: Apache-2.0
// Any bytes are refused, or become JSON that the reader reads.
#include <string>

#include "fuzz_check.hpp"
#include "jina.pb.h"
#include "wire/grpc.hpp"
#include "wire/json_reader.hpp"
#include "wire/json_writer.hpp"

namespace flow::wire {
namespace {

constexpr std::size_t kJsonMaxHere = 1 << 20;

void check_response(const std::string& json) {
  std::string framed;
  fuzz::check(!read_data_response(json, framed), "what was written must be read");
  jina::DataRequestProto message;
  const std::string_view bytes = payload(framed);
  fuzz::check(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())),
              "what was read must be a message");
}

void check_request(const std::string& json) {
  JsonRequestOptions options;
  options.request_id = "0123456789abcdef0123456789abcdef";
  options.new_document_id = [] { return std::string(32, 'a'); };
  std::string framed;
  fuzz::check(!read_data_request(json, options, framed), "what was written must be read");
}

}  // namespace
}  // namespace flow::wire

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace flow::wire;
  using flow::fuzz::check;
  const std::string message(reinterpret_cast<const char*>(data), size);
  std::string json;
  for (const JsonStyle style : {JsonStyle::Http, JsonStyle::WebSocket}) {
    if (write_data_response(message, style, json, kJsonMaxHere).ok()) check_response(json);
    json.clear();
  }
  if (write_data_request(message, json, kJsonMaxHere).ok()) check_request(json);
  json.clear();
  if (write_failed_request(message, message, json, kJsonMaxHere).ok()) check_response(json);
  json.clear();
  if (write_document(message, json, kJsonMaxHere).ok()) check_request("{\"data\":[" + json + "]}");
  json.clear();
  if (write_status(message, json, kJsonMaxHere).ok()) {
    check_response("{\"header\":{\"status\":" + json + "}}");
  }
  return 0;
}
