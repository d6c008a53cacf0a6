// SPDX-License-Identifier: Apache-2.0
#include "wire/json_reader.hpp"

#include <limits>

#include "core/limits.hpp"
#include "fmt/format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "json_samples.hpp"
#include "wire/data_request.hpp"
#include "wire/json_schema.hpp"

namespace flow::wire {
namespace {

using test::document_of;
using test::options;
using test::parsed;
using test::problem_of;
using test::request_of;

// `open` n times, `inside`, `close` n times.
std::string nested(std::size_t n, std::string_view open, std::string_view inside,
                   std::string_view close) {
  std::string text;
  for (std::size_t i = 0; i < n; ++i) text += open;
  text += inside;
  for (std::size_t i = 0; i < n; ++i) text += close;
  return text;
}

TEST(JsonRequest, BecomesAMessageThatRoutesAsItIs) {
  std::string framed;
  ASSERT_FALSE(
      read_data_request(R"({"data":[{"text":"a"}],"parameters":{"k":1}})", options(), framed));

  const auto view = scan_data_request(payload(framed));

  ASSERT_TRUE(view.ok());
  EXPECT_TRUE(view->canonical);
  EXPECT_EQ(view->request_id, test::kRequestId);
}

TEST(JsonRequest, WithEveryMemberOfADocumentHasEveryField) {
  const auto document = document_of(R"({
    "id": "d", "parent_id": "p", "granularity": 3, "adjacency": 4294967295, "mime_type": "m/t",
    "text": "\u00e9", "weight": 0.25, "uri": "u", "tags": {"t": [null, true, "x", 1.5, {}]},
    "offset": -1, "location": [1, 2.5], "embedding": [0.5], "modality": "mo",
    "evaluations": {"e": {"value": 1, "op_name": "o", "description": "d", "ref_id": "r"}},
    "scores": {"s": {"value": null}, "z": {}}, "chunks": [{"id": "c"}], "matches": []})");

  docarray::DocumentProto expected;
  expected.set_id("d");
  expected.set_parent_id("p");
  expected.set_granularity(3);
  expected.set_adjacency(4294967295);
  expected.set_mime_type("m/t");
  expected.set_text("\xc3\xa9");
  expected.set_weight(0.25);
  expected.set_uri("u");
  auto* list = (*expected.mutable_tags()->mutable_fields())["t"].mutable_list_value();
  list->add_values()->set_null_value(google::protobuf::NULL_VALUE);
  list->add_values()->set_bool_value(true);
  list->add_values()->set_string_value("x");
  list->add_values()->set_number_value(1.5);
  list->add_values()->mutable_struct_value();
  expected.set_offset(-1);
  expected.add_location(1);
  expected.add_location(2.5);
  auto* dense = expected.mutable_embedding()->mutable_dense();
  dense->set_buffer(std::string("\0\0\0\0\0\0\xe0\x3f", 8));
  dense->add_shape(1);
  dense->set_dtype("<f8");
  expected.mutable_embedding()->set_cls_name("numpy");
  expected.set_modality("mo");
  auto& evaluation = (*expected.mutable_evaluations())["e"];
  evaluation.set_value(1);
  evaluation.set_op_name("o");
  evaluation.set_description("d");
  evaluation.set_ref_id("r");
  (*expected.mutable_scores())["s"];
  (*expected.mutable_scores())["z"];
  auto* chunk = expected.add_chunks();
  chunk->set_id("c");
  chunk->set_parent_id("d");
  chunk->set_granularity(4);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(document, expected))
      << document.DebugString();
}

TEST(JsonRequest, WithNullsIsAsIfTheyWereAbsent) {
  std::string members;
  for (const auto& member : schema::kDocumentMembers) {
    members += fmt::format(R"({}"{}":null)", members.empty() ? "" : ",", member.name);
  }

  EXPECT_EQ(document_of("{" + members + "}").SerializeAsString(),
            document_of("{}").SerializeAsString());
  EXPECT_EQ(
      request_of(R"({"data":null,"execEndpoint":null,"targetExecutor":null,"parameters":null})")
          .SerializeAsString(),
      request_of("{}").SerializeAsString());
}

TEST(JsonRequest, RefusesAMemberOfAnotherKindAndSaysWhere) {
  for (const auto& member : schema::kDocumentMembers) {
    for (const char* wrong : {"true", "1.5", "\"\xc3\xa9\"", "[1]", "[[{}]]", "{\"a\":1}",
                              "{\"a\":{\"value\":\"x\"}}", "-1"}) {
      const std::string json = fmt::format(R"({{"data":[{{}},{{"{}":{}}}]}})", member.name, wrong);
      std::string framed;
      const auto problem = read_data_request(json, options(), framed);
      if (!problem) continue;
      EXPECT_EQ(describe(*problem).substr(0, 8 + member.name.size()),
                "data[1]." + std::string(member.name));
      EXPECT_FALSE(problem->is_syntax_error()) << json;
    }
    EXPECT_NE(problem_of(fmt::format(R"({{"data":[{{"{}":{}}}]}})", member.name,
                                     member.shape == schema::Shape::Struct ||
                                             member.shape == schema::Shape::Scores
                                         ? "1"
                                         : R"({"a":1})"))
                  .message,
              "");
  }
}

TEST(JsonRequest, NamesWhatItFoundAndWhatItExpected) {
  const std::tuple<const char*, const char*, const char*> kCases[] = {
      {"[]", "expected an object, found a list (line 1, column 1)", "type_error.dict"},
      {"null", "expected an object, found null (line 1, column 1)", "type_error.dict"},
      {R"({"data":1})", "data: expected a list, found a number (line 1, column 9)",
       "type_error.list"},
      {R"({"data":{}})", "data.docs: field required (line 1, column 9)", "value_error.missing"},
      {R"({"data":{"docs":"x"}})", "data.docs: expected a list, found a string (line 1, column 17)",
       "type_error.list"},
      {R"({"data":[null]})", "data[0]: expected an object, found null (line 1, column 10)",
       "type_error.dict"},
      {R"({"data":["x"]})", "data[0]: expected an object, found a string (line 1, column 10)",
       "type_error.dict"},
      {R"({"execEndpoint":5})",
       "execEndpoint: expected a string, found a number (line 1, column 17)", "type_error.str"},
      {R"({"target_executor":[]})",
       "target_executor: expected a string, found a list (line 1, column 20)", "type_error.str"},
      {R"({"parameters":[]})", "parameters: expected an object, found a list (line 1, column 15)",
       "type_error.dict"},
      {R"({"parameters":{"a":[1,1e999]}})",
       "parameters.a[1]: number is out of the range of a 64-bit float (line 1, column 23)",
       "value_error"},
      {R"({"data":[{"text":7}]})",
       "data[0].text: expected a string, found a number (line 1, column 18)", "type_error.str"},
      {R"({"data":[{"blob":"%"}]})",
       "data[0].blob: expected base64, found something else (line 1, column 18)", "value_error"},
      {R"({"data":[{"granularity":-1}]})",
       "data[0].granularity: expected an integer from 0 to 4294967295 (line 1, column 25)",
       "type_error.integer"},
      {R"({"data":[{"adjacency":4294967296}]})",
       "data[0].adjacency: expected an integer from 0 to 4294967295 (line 1, column 23)",
       "type_error.integer"},
      {R"({"data":[{"weight":1e39}]})",
       "data[0].weight: number is out of the range of a 32-bit float (line 1, column 20)",
       "value_error"},
      {R"({"data":[{"location":[1,"2"]}]})",
       "data[0].location[1]: expected a number, found a string (line 1, column 25)",
       "type_error.float"},
      {R"({"data":[{"scores":{"cos":{"value":true}}}]})",
       "data[0].scores.cos.value: expected a number, found a boolean (line 1, column 36)",
       "type_error.float"},
      {R"({"data":[{"tensor":[[1],[2,3]]}]})",
       "data[0].tensor[1]: ragged: this list has 2 elements, those before it 1 (line 1, column 25)",
       "value_error"},
      {R"({"data":[{"tensor":[true,1]}]})",
       "data[0].tensor[1]: booleans and numbers do not go into one array (line 1, column 26)",
       "value_error"},
      {R"({"data":[{"embedding":[1,"x"]}]})",
       "data[0].embedding[1]: expected nested lists of numbers (line 1, column 26)",
       "type_error.list"},
      {R"({"data":[{"chunks":[{},{"text":{}}],"id":"x"}]})",
       "data[0].chunks[1].text: expected a string, found an object (line 1, column 32)",
       "type_error.str"},
      {R"({"data":[{"text":"a","blob":""}]})",
       "data[0]: a document has one of blob, tensor and text, this one has more (line 1, column "
       "10)",
       "value_error"},
  };
  for (const auto& [json, expected, type] : kCases) {
    EXPECT_EQ(describe(problem_of(json)), expected);
    EXPECT_EQ(problem_of(json).type, type) << json;
  }
}

TEST(JsonRequest, AcceptsIntegersWrittenAsFloats) {
  EXPECT_EQ(document_of(R"({"granularity":2.0})").granularity(), 2u);
  EXPECT_EQ(problem_of(R"({"data":[{"granularity":2.5}]})").type, "type_error.integer");
}

TEST(JsonRequest, TakesTheLastOfMembersThatOccurTwice) {
  const auto document = document_of(
      R"({"tensor":[1,2],"id":"first","chunks":[{"id":"a"},{"id":"b"}],"tags":{"a":1,"b":1},
          "id":"second","tensor":[3],"tags":{"a":2,"a":3},"chunks":[{"id":"c"}],
          "location":[1,2,3],"uri":"u","uri":null,"location":[4],"matches":[{}],"matches":null})");

  EXPECT_EQ(document.id(), "second");
  EXPECT_EQ(document.tensor().dense().shape(0), 1u);
  EXPECT_EQ(document.chunks_size(), 1);
  EXPECT_EQ(document.chunks(0).parent_id(), "second");
  EXPECT_EQ(document.tags().fields().size(), 1u);
  EXPECT_EQ(document.tags().fields().at("a").number_value(), 3);
  EXPECT_EQ(document.location_size(), 1);
  EXPECT_EQ(document.uri(), "");
  EXPECT_EQ(document.matches_size(), 0);

  const auto request = request_of(
      R"({"data":[{"id":"a"}],"parameters":{"a":1},"exec_endpoint":"/a","data":{"docs":[{},{}],"docs":[{"id":"b"}]},
          "parameters":{"b":1},"execEndpoint":"/b","parameters":{"c":1}})");
  EXPECT_EQ(request.data().docs().docs_size(), 1);
  EXPECT_EQ(request.data().docs().docs(0).id(), "b");
  EXPECT_EQ(request.parameters().fields().size(), 1u);
  EXPECT_EQ(request.header().exec_endpoint(), "/b");
}

TEST(JsonRequest, GivesIdsToDocumentsWithoutOne) {
  const auto request = request_of(R"({"data":[{},{"id":""},{"id":"mine"},{"id":null}]})");

  EXPECT_EQ(request.data().docs().docs(0).id(), test::kFirstId);
  EXPECT_EQ(request.data().docs().docs(1).id().back(), '2');
  EXPECT_EQ(request.data().docs().docs(2).id(), "mine");
  EXPECT_EQ(request.data().docs().docs(3).id().back(), '3');
}

TEST(JsonRequest, TellsInnerDocumentsTheirParentWhereverItsIdStands) {
  const auto document = document_of(
      R"({"chunks":[{"chunks":[{}]},{"parent_id":"other","granularity":0,"matches":[{"adjacency":9,"matches":[{}]}]}],"granularity":7,"id":"late","adjacency":2})");

  EXPECT_EQ(document.chunks(0).parent_id(), "late");
  EXPECT_EQ(document.chunks(0).granularity(), 8u);
  EXPECT_EQ(document.chunks(0).chunks(0).parent_id(), document.chunks(0).id());
  EXPECT_EQ(document.chunks(0).chunks(0).granularity(), 9u);
  EXPECT_EQ(document.chunks(1).parent_id(), "other");
  EXPECT_EQ(document.chunks(1).granularity(), 0u);
  EXPECT_EQ(document.chunks(1).matches(0).adjacency(), 9u);
  EXPECT_EQ(document.chunks(1).matches(0).parent_id(), "");
  EXPECT_EQ(document.chunks(1).matches(0).matches(0).adjacency(), 10u);
}

TEST(JsonRequest, DoesNotCountPastTheLastGranularity) {
  EXPECT_EQ(document_of(R"({"granularity":4294967295,"chunks":[{}]})").chunks(0).granularity(),
            4294967295u);
}

TEST(JsonRequest, DecodesBase64AndRefusesWhatIsNone) {
  EXPECT_EQ(document_of(R"({"blob":"AP/+"})").blob(), std::string("\0\xff\xfe", 3));
  EXPECT_TRUE(document_of(R"({"blob":""})").has_blob());
  for (const char* wrong : {"A", "A===", "AP/*", "=", "AA=A", "\\u00e9"}) {
    EXPECT_EQ(problem_of(fmt::format(R"({{"data":[{{"blob":"{}"}}]}})", wrong)).message,
              "expected base64, found something else")
        << wrong;
  }
}

TEST(JsonRequest, KeepsATextThatIsEmpty) {
  EXPECT_TRUE(document_of(R"({"text":""})").has_text());
  EXPECT_FALSE(document_of("{}").has_text());
}

TEST(JsonRequest, TakesTheTargetAndTheEndpointInBothSpellings) {
  for (const char* json : {R"({"execEndpoint":"/e","targetExecutor":"t"})",
                           R"({"exec_endpoint":"/e","target_executor":"t"})"}) {
    EXPECT_EQ(request_of(json).header().exec_endpoint(), "/e");
    EXPECT_EQ(request_of(json).header().target_executor(), "t");
  }
  EXPECT_FALSE(request_of("{}").header().has_target_executor());
}

TEST(JsonRequest, CannotChangeAnEndpointThatIsFixed) {
  JsonRequestOptions how = options();
  how.endpoint = "/index";
  how.endpoint_is = JsonRequestOptions::Endpoint::Fixed;

  EXPECT_EQ(request_of(R"({"execEndpoint":"/foo"})", how).header().exec_endpoint(), "/index");
  EXPECT_EQ(problem_of(R"({"execEndpoint":1})", how).type, "type_error.str");
}

TEST(JsonRequest, MustHaveDataIfTheServerSaysSo) {
  JsonRequestOptions how = options();
  how.data = JsonRequestOptions::Data::Required;

  EXPECT_EQ(
      problem_body(problem_of("{}", how), "{}"),
      R"({"detail":[{"loc":["body","data"],"msg":"field required","type":"value_error.missing"}]})");
  request_of(R"({"data":[]})", how);
  request_of(R"({"data":null})", how);
}

TEST(JsonRequest, ValidatesWhatItIgnores) {
  EXPECT_EQ(problem_of(R"({"ignored":[1,{"a":tru}]})").message, "Expecting value");
  EXPECT_EQ(problem_of("{\"ignored\":\"\xff\"}").message, "Invalid UTF-8 in string at");
  EXPECT_EQ(problem_of(R"({"data":[{"ignored":"\ud800"}]})").message,
            "Lone surrogate in \\u escape");
  EXPECT_EQ(problem_of(R"({"data":[]}x)").message, "Extra data");
}

TEST(JsonRequest, CutOffAnywhereIsRefused) {
  constexpr std::string_view kJson =
      R"({"data":[{"id":"d\u00e9","text":"x","tags":{"a":[1,null,{"b":true}]},"scores":{"c":{"value":0.5}},"embedding":[[1,2.5],[3,4]],"chunks":[{"blob":"aGVsbG8="}]}],"parameters":{"k":-1e5},"execEndpoint":"/"})";
  request_of(kJson);

  for (std::size_t size = 0; size < kJson.size(); ++size) {
    EXPECT_TRUE(problem_of(kJson.substr(0, size)).is_syntax_error()) << size;
  }
}

TEST(JsonRequest, NestsNoDeeperThanProtobufCanRead) {
  for (const auto& [open, close] : {std::pair("{\"a\":", "}"), std::pair("[", "]")}) {
    std::size_t deepest = 0;
    for (std::size_t depth = 1; depth < 80; ++depth) {
      const std::string json =
          R"({"data":[{"chunks":[{"tags":{"a":)" + nested(depth, open, "1", close) + "}}]}]}";
      std::string framed;
      if (read_data_request(json, options(), framed)) break;
      parsed(framed);
      deepest = depth;
    }
    EXPECT_GT(deepest, 25u);
    EXPECT_LT(deepest, 50u);
  }
  EXPECT_NE(problem_of(R"({"parameters":)" + nested(100, "{\"a\":", "1", "}") + "}").message, "");
}

TEST(JsonRequest, HasDocumentsInDocumentsToALimit) {
  constexpr std::size_t kMax = core::limits::kDocumentDepthMax;

  request_of(R"({"data":[)" + nested(kMax - 1, R"({"chunks":[)", "{}", "]}") + "]}");
  EXPECT_EQ(problem_of(R"({"data":[)" + nested(kMax, R"({"chunks":[)", "{}", "]}") + "]}").message,
            "documents may nest 16 deep, not deeper");
  EXPECT_NE(
      problem_of(R"({"data":[)" + nested(100'000, R"({"matches":[)", "{}", "]}") + "]}").message,
      "");
}

TEST(JsonRequest, CannotMakeAMessageMuchLargerThanItself) {
  JsonRequestOptions how = options();
  how.message_max = 100'000;
  std::string chunks = "{}";
  for (int i = 0; i < 1000; ++i) chunks += ",{}";
  const std::string json =
      R"({"data":[{"id":")" + std::string(10'000, 'x') + R"(","chunks":[)" + chunks + "]}]}";

  std::string framed;
  const auto problem = read_data_request(json, how, framed);

  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->type, "value_error.too_large");
  EXPECT_LT(framed.size(), 150'000u);
}

TEST(JsonResponse, OfBothStylesReadsBackAsTheMessageItWas) {
  jina::DataRequestProto response = request_of(
      R"({"data":[{"id":"d","text":"x","tags":{"a":[1,{"b":null}]},"embedding":[0.5,1],"scores":{"s":{"value":0.1,"ref_id":"r"}},"chunks":[{"id":"c","matches":[{"id":"m"}]}]},{"blob":"AAE="}],"parameters":{"k":1}})");
  response.mutable_header()->set_target_executor("");
  auto* status = response.mutable_header()->mutable_status();
  status->set_code(jina::StatusProto::ERROR);
  status->set_description("no");
  status->mutable_exception()->set_name("E");
  status->mutable_exception()->add_args("a");
  status->mutable_exception()->add_stacks("s\n");
  status->mutable_exception()->set_executor("x");
  auto* route = response.add_routes();
  route->set_executor("gateway");
  route->mutable_start_time()->set_seconds(1795330756);
  route->mutable_start_time()->set_nanos(307488000);
  *route->mutable_status() = *status;
  response.add_routes()->set_executor("skipped");

  for (const JsonStyle style : {JsonStyle::Http, JsonStyle::WebSocket}) {
    std::string framed;
    const auto problem = read_data_response(test::response_json(response, style), framed);
    ASSERT_FALSE(problem) << describe(*problem);
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(parsed(framed), response))
        << parsed(framed).DebugString();
  }
}

TEST(JsonResponse, TakesDocumentsAsTheyAre) {
  std::string framed;
  ASSERT_FALSE(
      read_data_response(R"({"data":[{"chunks":[{}]}],"header":null,"routes":null})", framed));

  const auto document = parsed(framed).data().docs().docs(0);
  EXPECT_EQ(document.id(), "");
  EXPECT_EQ(document.chunks(0).parent_id(), "");
}

TEST(JsonResponse, OfAnotherShapeIsRefused) {
  for (const char* json :
       {"", "[]", R"({"header":1})", R"({"header":{"requestId":1}})", R"({"routes":{}})",
        R"({"routes":[1]})", R"({"routes":[{"startTime":"yesterday"}]})",
        R"({"routes":[{"startTime":1}]})", R"({"header":{"status":{"code":"ERROR"}}})",
        R"({"header":{"status":{"code":2147483648}}})",
        R"({"header":{"status":{"exception":{"args":"a"}}}})",
        R"({"header":{"status":{"exception":{"stacks":[1]}}}})", R"({"parameters":1})"}) {
    std::string framed;
    EXPECT_TRUE(read_data_response(json, framed)) << json;
  }
}

}  // namespace
}  // namespace flow::wire
