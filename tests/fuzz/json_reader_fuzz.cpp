// SPDX-License-Identifier: Apache-2.0
// Any text is refused with a problem that can be shown, or becomes a message that libprotobuf
// reads, that routing takes as it is, and that comes back the same through JSON.
#include <cstdlib>
#include <string>

#include "fuzz_check.hpp"
#include "google/protobuf/util/message_differencer.h"
#include "jina.pb.h"
#include "wire/data_request.hpp"
#include "wire/grpc.hpp"
#include "wire/json_reader.hpp"
#include "wire/json_writer.hpp"

namespace flow::wire {
namespace {

jina::DataRequestProto parsed(const std::string& framed) {
  jina::DataRequestProto message;
  const std::string_view bytes = payload(framed);
  fuzz::check(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())),
              "accepted JSON must make a message");
  return message;
}

void forget_shape(docarray::NdArrayProto& array) {
  if (array.dense().buffer().empty()) array.mutable_dense()->clear_shape();
}

// JSON has one list without elements, however many dimensions it is said to have.
void forget_empty_shapes(docarray::DocumentProto& document) {
  if (document.has_tensor()) forget_shape(*document.mutable_tensor());
  if (document.has_embedding()) forget_shape(*document.mutable_embedding());
  for (auto& chunk : *document.mutable_chunks()) forget_empty_shapes(chunk);
  for (auto& match : *document.mutable_matches()) forget_empty_shapes(match);
}

void forget_empty_shapes(jina::DataRequestProto& request) {
  if (!request.data().has_docs()) return;
  for (auto& document : *request.mutable_data()->mutable_docs()->mutable_docs()) {
    forget_empty_shapes(document);
  }
}

void check_problem(const JsonProblem& problem, std::string_view json) {
  std::string ignored;
  const auto again = read_data_response(problem_body(problem, json), ignored);
  fuzz::check(!again, "the answer to a refused text must be JSON");
  fuzz::check(!problem.message.empty() && problem.offset <= json.size(), "a problem has a place");
}

void check_accepted(const std::string& framed) {
  const auto view = scan_data_request(payload(framed));
  fuzz::check(view.ok() && view->canonical, "what we make must route as it is");
  jina::DataRequestProto request = parsed(framed);

  for (const JsonStyle style : {JsonStyle::Http, JsonStyle::WebSocket}) {
    std::string json;
    fuzz::check(write_data_response(payload(framed), style, json).ok(),
                "what was read can be written");
    std::string again;
    fuzz::check(!read_data_response(json, again), "what was written can be read");
    jina::DataRequestProto response = parsed(again);
    // HTTP has an empty object where WebSocket has nothing, and both have a list of documents.
    if (!request.has_parameters()) response.clear_parameters();
    if (!request.has_data()) response.clear_data();
    if (!request.header().has_target_executor()) {
      response.mutable_header()->clear_target_executor();
    }
    forget_empty_shapes(request);
    forget_empty_shapes(response);
    fuzz::check(google::protobuf::util::MessageDifferencer::Equals(request, response),
                "a message must come back the same through JSON");
  }
}

}  // namespace
}  // namespace flow::wire

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace flow::wire;
  // Of the very size, so that a step beyond the end is seen.
  const std::string json(reinterpret_cast<const char*>(data), size);
  JsonRequestOptions options;
  options.request_id = "0123456789abcdef0123456789abcdef";
  options.new_document_id = [] { return std::string(32, 'a'); };
  options.message_max = 1 << 20;
  std::string framed;
  if (const auto problem = read_data_request(json, options, framed)) {
    check_problem(*problem, json);
  } else {
    check_accepted(framed);
  }
  if (const auto problem = read_data_response(json, framed)) {
    check_problem(*problem, json);
  } else {
    parsed(framed);
  }
  return 0;
}
