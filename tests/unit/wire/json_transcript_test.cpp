// SPDX-License-Identifier: Apache-2.0
// What clients were seen to send to Jina 3.20 and what they got back, with ids and times as they
// were. An executor that appends " foo" stands between the two.
#include "gtest/gtest.h"
#include "json_samples.hpp"
#include "wire/json_time.hpp"

namespace flow::wire {
namespace {

using test::options;
using test::request_of;
using test::response_json;

google::protobuf::Timestamp timestamp(std::string_view text) {
  google::protobuf::Timestamp result;
  const auto time = parse_time(text);
  EXPECT_TRUE(time) << text;
  result.set_seconds(time->seconds);
  result.set_nanos(static_cast<std::int32_t>(time->nanos));
  return result;
}

void add_route(jina::DataRequestProto& response, std::string_view executor, std::string_view start,
               std::string_view end) {
  constexpr std::string_view kDay = "2026-11-22T";
  auto* route = response.add_routes();
  route->set_executor(std::string(executor));
  *route->mutable_start_time() = timestamp(std::string(kDay).append(start).append("Z"));
  if (!end.empty())
    *route->mutable_end_time() = timestamp(std::string(kDay).append(end).append("Z"));
}

// What the gateway makes of a request that went through.
jina::DataRequestProto answered(std::string_view json, std::string_view request_id,
                                std::string_view document_id = "") {
  JsonRequestOptions how = options();
  how.request_id = request_id;
  if (!document_id.empty()) {
    how.new_document_id = [document_id] { return std::string(document_id); };
  }
  jina::DataRequestProto response = request_of(json, how);
  response.mutable_header()->set_target_executor("");
  response.mutable_parameters();
  return response;
}

void append_text(jina::DataRequestProto& response, std::string_view text) {
  for (auto& document : *response.mutable_data()->mutable_docs()->mutable_docs()) {
    document.set_text(document.text() + std::string(text));
  }
}

TEST(HttpTranscript, OfADocumentWithTextIsRepeated) {
  auto response = answered(R"({"data":[{"text":"hello"}],"execEndpoint":"/foo"})",
                           "3184132d263c4a18ac9cf9e7e41c9ea1", "95075af7988b1fa68068d55f5a1c737b");
  append_text(response, " foo foo");
  add_route(response, "gateway", "06:59:16.307488", "06:59:16.331497");
  add_route(response, "exec0", "06:59:16.307982", "06:59:16.327670");
  add_route(response, "exec1", "06:59:16.327717", "06:59:16.331343");

  EXPECT_EQ(
      response_json(response),
      R"({"header":{"requestId":"3184132d263c4a18ac9cf9e7e41c9ea1","status":null,"execEndpoint":"/foo","targetExecutor":""},"parameters":{},"routes":[{"executor":"gateway","startTime":"2026-11-22T06:59:16.307488+00:00","endTime":"2026-11-22T06:59:16.331497+00:00","status":null},{"executor":"exec0","startTime":"2026-11-22T06:59:16.307982+00:00","endTime":"2026-11-22T06:59:16.327670+00:00","status":null},{"executor":"exec1","startTime":"2026-11-22T06:59:16.327717+00:00","endTime":"2026-11-22T06:59:16.331343+00:00","status":null}],"data":[{"id":"95075af7988b1fa68068d55f5a1c737b","parent_id":null,"granularity":null,"adjacency":null,"blob":null,"tensor":null,"mime_type":null,"text":"hello foo foo","weight":null,"uri":null,"tags":null,"offset":null,"location":null,"embedding":null,"modality":null,"evaluations":null,"scores":null,"chunks":null,"matches":null}]})");
}

TEST(HttpTranscript, OfTagsParametersAndATargetIsRepeatedButForOneBecomingTrue) {
  auto response = answered(
      R"({"data":[{"id":"d1","text":"hello","tags":{"a":1,"b":[1,"x"]},"embedding":[1,2,3]}],"exec_endpoint":"/foo","parameters":{"k":1},"target_executor":"exec0"})",
      "bc60144bb20448a2acc90e4052570949");
  append_text(response, " foo");
  add_route(response, "gateway", "06:59:16.421664", "06:59:16.450098");
  add_route(response, "exec0", "06:59:16.421947", "06:59:16.449014");
  add_route(response, "exec1", "06:59:16.449063", "");
  // libprotobuf writes the entries of a map in any order.
  const std::string json = response_json(response);
  const bool a_first = json.find(R"({"a":)") != std::string::npos;

  EXPECT_EQ(
      json,
      std::string(
          R"({"header":{"requestId":"bc60144bb20448a2acc90e4052570949","status":null,"execEndpoint":"/foo","targetExecutor":""},"parameters":{"k":1.0},"routes":[{"executor":"gateway","startTime":"2026-11-22T06:59:16.421664+00:00","endTime":"2026-11-22T06:59:16.450098+00:00","status":null},{"executor":"exec0","startTime":"2026-11-22T06:59:16.421947+00:00","endTime":"2026-11-22T06:59:16.449014+00:00","status":null},{"executor":"exec1","startTime":"2026-11-22T06:59:16.449063+00:00","endTime":null,"status":null}],"data":[{"id":"d1","parent_id":null,"granularity":null,"adjacency":null,"blob":null,"tensor":null,"mime_type":null,"text":"hello foo","weight":null,"uri":null,"tags":)") +
          (a_first ? R"({"a":1.0,"b":[1.0,"x"]})" : R"({"b":[1.0,"x"],"a":1.0})") +
          R"(,"offset":null,"location":null,"embedding":[1,2,3],"modality":null,"evaluations":null,"scores":null,"chunks":null,"matches":null}]})");
}

TEST(HttpTranscript, OfDocumentsInsideDocsIsReadAsIfTheyWereTheData) {
  const auto response = answered(
      R"({"data":{"docs":[{"id":"d1","text":"hello"}]},"execEndpoint":"/foo"})", "44b9c399");
  const auto plain =
      answered(R"({"data":[{"id":"d1","text":"hello"}],"execEndpoint":"/foo"})", "44b9c399");

  EXPECT_EQ(response.SerializeAsString(), plain.SerializeAsString());
}

TEST(HttpTranscript, WithoutDocumentsIsAnsweredWithAnEmptyList) {
  for (const char* json : {R"({"execEndpoint":"/foo"})", R"({"data":[],"execEndpoint":"/foo"})",
                           R"({"data":null,"execEndpoint":"/foo"})"}) {
    auto response = answered(json, "1e25814475bb4989975d2a76b4507d29");
    add_route(response, "gateway", "06:59:16.861687", "06:59:16.864795");

    EXPECT_EQ(
        response_json(response),
        R"({"header":{"requestId":"1e25814475bb4989975d2a76b4507d29","status":null,"execEndpoint":"/foo","targetExecutor":""},"parameters":{},"routes":[{"executor":"gateway","startTime":"2026-11-22T06:59:16.861687+00:00","endTime":"2026-11-22T06:59:16.864795+00:00","status":null}],"data":[]})");
  }
}

TEST(HttpTranscript, WithoutAnEndpointGoesToTheDefaultOne) {
  EXPECT_EQ(request_of(R"({"data":[{"text":"hello"}]})").header().exec_endpoint(), "/");
}

TEST(HttpTranscript, WithARequestIdGetsTheServersAllTheSame) {
  const auto request = request_of(
      R"({"data":[{"id":"d1"}],"execEndpoint":"/foo","header":{"requestId":"abc"},"requestId":"xyz"})");

  EXPECT_EQ(request.header().request_id(), test::kRequestId);
}

TEST(HttpTranscript, WithABlobIsDecoded) {
  const auto request =
      request_of(R"({"data":[{"id":"d1","blob":"aGVsbG8="}],"execEndpoint":"/foo"})");

  EXPECT_EQ(request.data().docs().docs(0).blob(), "hello");
}

TEST(HttpTranscript, OfChunksAndMatchesTellsThemWhereTheyBelong) {
  auto response = answered(
      R"({"data":[{"id":"d1","uri":"u","mimeType":"text/plain","tensor":[[1,2],[3,4]],"weight":0.5,"chunks":[{"id":"c1","text":"c"}],"matches":[{"id":"m1","scores":{"cos":{"value":0.3}}}]}],"execEndpoint":"/foo"})",
      "014b193971a84b2db581a240194bbdf5");
  const auto& tensor = response.data().docs().docs(0).tensor();
  EXPECT_EQ(tensor.dense().dtype(), "<i8");
  EXPECT_EQ(tensor.dense().shape(0), 2u);
  EXPECT_EQ(tensor.dense().shape(1), 2u);
  EXPECT_EQ(tensor.cls_name(), "numpy");
  append_text(response, " foo foo");
  add_route(response, "gateway", "06:59:16.948375", "06:59:16.959359");

  EXPECT_EQ(
      response_json(response),
      R"({"header":{"requestId":"014b193971a84b2db581a240194bbdf5","status":null,"execEndpoint":"/foo","targetExecutor":""},"parameters":{},"routes":[{"executor":"gateway","startTime":"2026-11-22T06:59:16.948375+00:00","endTime":"2026-11-22T06:59:16.959359+00:00","status":null}],"data":[{"id":"d1","parent_id":null,"granularity":null,"adjacency":null,"blob":null,"tensor":null,"mime_type":null,"text":" foo foo","weight":0.5,"uri":"u","tags":null,"offset":null,"location":null,"embedding":null,"modality":null,"evaluations":null,"scores":null,"chunks":[{"id":"c1","parent_id":"d1","granularity":1,"adjacency":null,"blob":null,"tensor":null,"mime_type":null,"text":"c","weight":null,"uri":null,"tags":null,"offset":null,"location":null,"embedding":null,"modality":null,"evaluations":null,"scores":null,"chunks":null,"matches":null}],"matches":[{"id":"m1","parent_id":null,"granularity":null,"adjacency":1,"blob":null,"tensor":null,"mime_type":null,"text":null,"weight":null,"uri":null,"tags":null,"offset":null,"location":null,"embedding":null,"modality":null,"evaluations":null,"scores":{"cos":{"value":0.3,"op_name":null,"description":null,"ref_id":null}},"chunks":null,"matches":null}]}]})");
}

TEST(HttpTranscript, WithUnknownMembersIsReadWithoutThem) {
  const auto request =
      request_of(R"({"data":[{"id":"d1","nonsense":5}],"execEndpoint":"/foo","zzz":1})");

  EXPECT_EQ(request.data().docs().docs(0).id(), "d1");
  EXPECT_EQ(request.SerializeAsString(),
            request_of(R"({"data":[{"id":"d1"}],"execEndpoint":"/foo"})").SerializeAsString());
}

TEST(HttpTranscript, OfBrokenJsonIsRefusedInTheSameWords) {
  constexpr std::string_view kJson = R"({"data":[)";

  EXPECT_EQ(
      problem_body(test::problem_of(kJson), kJson),
      R"json({"detail":[{"loc":["body",9],"msg":"Expecting value: line 1 column 10 (char 9)","type":"value_error.jsondecode","ctx":{"msg":"Expecting value","doc":"{\"data\":[","pos":9,"lineno":1,"colno":10}}]})json");
}

TEST(HttpTranscript, OfAnExecutorsFailureHasItsStatus) {
  jina::DataRequestProto response;
  response.mutable_header()->set_request_id("e1a1945942be4460adb1ca666423cc4e");
  response.mutable_header()->set_exec_endpoint("/boom");
  auto* status = response.mutable_header()->mutable_status();
  status->set_code(jina::StatusProto::ERROR);
  status->set_description("ValueError('boom', 42)");
  status->mutable_exception()->set_name("ValueError");
  status->mutable_exception()->add_args("boom");
  status->mutable_exception()->add_args("42");
  status->mutable_exception()->add_stacks("Traceback (most recent call last):\n");
  status->mutable_exception()->add_stacks("  File \"…/x.py\", line 1049, in process_data\n");
  status->mutable_exception()->set_executor("Boom");

  EXPECT_EQ(
      response_json(response),
      R"json({"header":{"requestId":"e1a1945942be4460adb1ca666423cc4e","status":{"code":1,"description":"ValueError('boom', 42)","exception":{"name":"ValueError","args":["boom","42"],"stacks":["Traceback (most recent call last):\n","  File \"…/x.py\", line 1049, in process_data\n"],"executor":"Boom"}},"execEndpoint":"/boom","targetExecutor":""},"parameters":{},"routes":[],"data":[]})json");
}

TEST(HttpTranscript, OfADeadExecutorEchoesTheDocuments) {
  jina::DataRequestProto request;
  request.mutable_header()->set_request_id("6fb4d68a261347e0ae37a117ce662344");
  auto* document = request.mutable_data()->mutable_docs()->add_docs();
  document->set_id("d1");
  document->set_text("hello");
  jina::StatusProto status;
  status.set_code(jina::StatusProto::ERROR);
  status.set_description(
      "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:12451: Failed to "
      "connect to remote host: Connection refused |Gateway: Communication error with deployment "
      "exec1 at address(es) {'127.0.0.1:12451'}. Head or worker(s) may be down.");
  status.mutable_exception()->set_name("<class 'jina.excepts.InternalNetworkError'>");
  status.mutable_exception()->add_stacks("<FrameSummary file …, line 236 in _raise_for_status>");

  std::string json;
  ASSERT_TRUE(write_failed_request(test::bytes_of(request), test::bytes_of(status), json).ok());

  EXPECT_EQ(
      json,
      R"({"header":{"requestId":"6fb4d68a261347e0ae37a117ce662344","status":{"code":1,"description":"failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:12451: Failed to connect to remote host: Connection refused |Gateway: Communication error with deployment exec1 at address(es) {'127.0.0.1:12451'}. Head or worker(s) may be down.","exception":{"name":"<class 'jina.excepts.InternalNetworkError'>","args":[],"stacks":["<FrameSummary file …, line 236 in _raise_for_status>"],"executor":""}},"execEndpoint":"","targetExecutor":""},"parameters":null,"routes":null,"data":[{"id":"d1","parent_id":null,"granularity":null,"adjacency":null,"blob":null,"tensor":null,"mime_type":null,"text":"hello","weight":null,"uri":null,"tags":null,"offset":null,"location":null,"embedding":null,"modality":null,"evaluations":null,"scores":null,"chunks":null,"matches":null}]})");
}

TEST(HttpTranscript, OfResultsHasThemInTheParameters) {
  JsonRequestOptions how = options();
  how.endpoint = "/ret";
  how.endpoint_is = JsonRequestOptions::Endpoint::Fixed;
  how.request_id = "15a3fa078bf544a5bde61c2a0d9e6912";
  std::string framed;
  ASSERT_FALSE(read_data_request(
      R"({"data":[],"parameters":{"__results__":{"s/rep-0":{"n":1.0}},"a":1},"execEndpoint":"/x"})",
      how, framed));
  std::string json;
  ASSERT_TRUE(write_data_response(payload(framed), JsonStyle::Http, json).ok());

  EXPECT_EQ(
      json,
      R"({"header":{"requestId":"15a3fa078bf544a5bde61c2a0d9e6912","status":null,"execEndpoint":"/ret","targetExecutor":""},"parameters":{"__results__":{"s/rep-0":{"n":1.0}},"a":1.0},"routes":[],"data":[]})");
}

TEST(HttpTranscript, OfADryRunsSuccessIsRepeated) {
  std::string json;
  ASSERT_TRUE(write_status("", json).ok());

  EXPECT_EQ(json, R"({"code":0,"description":"","exception":null})");
}

// Theirs has a blank after each comma and colon.
TEST(WebSocketTranscript, OfADocumentIsRepeated) {
  auto response = answered(R"({"data":[{"id":"d1","text":"hello"}],"execEndpoint":"/foo"})",
                           "956d1ef2adb34f2c82fb96b7182c9e73");
  append_text(response, " foo foo");
  add_route(response, "gateway", "07:00:44.566148", "07:00:44.574972");
  add_route(response, "exec0", "07:00:44.566513", "07:00:44.570743");
  add_route(response, "exec1", "07:00:44.570775", "");

  EXPECT_EQ(
      response_json(response, JsonStyle::WebSocket),
      R"({"header":{"request_id":"956d1ef2adb34f2c82fb96b7182c9e73","exec_endpoint":"/foo","target_executor":""},"parameters":{},"routes":[{"executor":"gateway","start_time":"2026-11-22T07:00:44.566148Z","end_time":"2026-11-22T07:00:44.574972Z"},{"executor":"exec0","start_time":"2026-11-22T07:00:44.566513Z","end_time":"2026-11-22T07:00:44.570743Z"},{"executor":"exec1","start_time":"2026-11-22T07:00:44.570775Z"}],"data":[{"id":"d1","parent_id":null,"granularity":null,"adjacency":null,"blob":null,"tensor":null,"mime_type":null,"text":"hello foo foo","weight":null,"uri":null,"tags":null,"offset":null,"location":null,"embedding":null,"modality":null,"evaluations":null,"scores":null,"chunks":null,"matches":null}]})");
}

TEST(WebSocketTranscript, OfAnExecutorsFailureHasOnlyWhatIsThere) {
  jina::DataRequestProto response;
  response.mutable_header()->set_request_id("16c108c34aee44c38ec10dcb7d4dcb6c");
  auto* status = response.mutable_header()->mutable_status();
  status->set_code(jina::StatusProto::ERROR);
  status->set_description("ValueError('boom', 42)");
  status->mutable_exception()->set_name("ValueError");
  status->mutable_exception()->add_args("boom");

  EXPECT_EQ(
      response_json(response, JsonStyle::WebSocket),
      R"json({"header":{"request_id":"16c108c34aee44c38ec10dcb7d4dcb6c","status":{"code":1,"description":"ValueError('boom', 42)","exception":{"name":"ValueError","args":["boom"]}}},"data":[]})json");
}

}  // namespace
}  // namespace flow::wire
