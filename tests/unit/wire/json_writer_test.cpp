// SPDX-License-Identifier: Apache-2.0
#include "wire/json_writer.hpp"

#include <cmath>
#include <limits>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "gtest/gtest.h"
#include "json_samples.hpp"
#include "wire/protobuf.hpp"

namespace flow::wire {
namespace {

using test::bytes_of;
using test::document_json;
using test::response_json;

// The message of the error.
std::string refused(std::string_view payload, absl::StatusCode code) {
  std::string json = "before";
  const absl::Status status = write_data_response(payload, JsonStyle::Http, json);
  EXPECT_EQ(status.code(), code) << status << json;
  EXPECT_EQ(json, "before") << "what failed must leave nothing behind";
  return std::string(core::message(status));
}

std::string document_refused(std::string_view document) {
  std::string json;
  const absl::Status status = write_document(document, json);
  EXPECT_FALSE(status.ok()) << json;
  return std::string(core::message(status));
}

// Only the members that are there, as the form for requests has them.
std::string sparse_json(const docarray::DocumentProto& document) {
  jina::DataRequestProto request;
  *request.mutable_data()->mutable_docs()->add_docs() = document;
  std::string json;
  EXPECT_TRUE(write_data_request(bytes_of(request), json).ok());
  return json;
}

TEST(JsonDocument, HasAllMembersAlways) {
  EXPECT_EQ(
      document_json({}),
      R"({"id":null,"parent_id":null,"granularity":null,"adjacency":null,"blob":null,"tensor":null,"mime_type":null,"text":null,"weight":null,"uri":null,"tags":null,"offset":null,"location":null,"embedding":null,"modality":null,"evaluations":null,"scores":null,"chunks":null,"matches":null})");
}

TEST(JsonDocument, HasEveryFieldInItsPlace) {
  docarray::DocumentProto document;
  document.set_id("d");
  document.set_blob(std::string("\0\xff", 2));
  document.set_granularity(1);
  document.set_adjacency(4294967295);
  document.set_parent_id("p");
  document.set_weight(0.1f);
  document.set_uri("u\"");
  document.set_modality("m");
  document.set_mime_type("t");
  document.set_offset(2);
  document.add_location(1);
  document.add_location(0.5);
  document.mutable_embedding()->mutable_dense()->set_dtype("|u1");
  document.mutable_embedding()->mutable_dense()->set_buffer("\x07");
  document.mutable_embedding()->mutable_dense()->add_shape(1);
  (*document.mutable_tags()->mutable_fields())["t"].set_number_value(3);
  (*document.mutable_scores())["s"].set_value(0.5);
  (*document.mutable_evaluations())["e"].set_op_name("o");
  document.add_matches()->set_text("");
  (*document.mutable__metadata()->mutable_fields())["hidden"].set_bool_value(true);

  EXPECT_EQ(
      sparse_json(document),
      R"({"data":[{"id":"d","parent_id":"p","granularity":1,"adjacency":4294967295,"blob":"AP8=","mime_type":"t","weight":0.1,"uri":"u\"","tags":{"t":3.0},"offset":2.0,"location":[1.0,0.5],"embedding":[7],"modality":"m","evaluations":{"e":{"op_name":"o"}},"scores":{"s":{"value":0.5}},"matches":[{"text":""}]}]})");
}

TEST(JsonDocument, HasTagsOfEveryKind) {
  docarray::DocumentProto document;
  auto* list = (*document.mutable_tags()->mutable_fields())["l"].mutable_list_value();
  list->add_values();  // nothing set
  list->add_values()->set_null_value(google::protobuf::NULL_VALUE);
  list->add_values()->set_bool_value(false);
  list->add_values()->set_number_value(-2.5);
  list->add_values()->set_string_value("\n");
  list->add_values()->mutable_struct_value();
  list->add_values()->mutable_list_value();

  EXPECT_EQ(sparse_json(document),
            R"({"data":[{"tags":{"l":[null,null,false,-2.5,"\n",{},[]]}}]})");
}

TEST(JsonDocument, IsJsonWhateverBytesAPluginPutsIntoStrings) {
  std::string document;
  append_bytes_field(document, docarray::DocumentProto::kTextFieldNumber, "a\xff\"b");
  std::string json;
  ASSERT_TRUE(write_document(document, json).ok());

  EXPECT_NE(json.find("\"text\":\"a\uFFFD\\\"b\""), std::string::npos) << json;
}

TEST(JsonDocument, PassesOverFieldsItDoesNotKnow) {
  std::string document;
  append_varint_field(document, 1000, 5);
  append_bytes_field(document, 1, "d");
  std::string json;
  ASSERT_TRUE(write_document(document, json).ok());

  EXPECT_EQ(json.substr(0, 9), R"({"id":"d")");
}

TEST(JsonDocument, MayHaveUnpackedFloats) {
  std::string document;
  append_float_field(document, docarray::DocumentProto::kLocationFieldNumber, 1);
  append_bytes_field(document, docarray::DocumentProto::kLocationFieldNumber, "");
  append_float_field(document, docarray::DocumentProto::kLocationFieldNumber, 2);
  std::string json;
  ASSERT_TRUE(write_document(document, json).ok());

  EXPECT_NE(json.find("\"location\":[1.0,2.0]"), std::string::npos) << json;
}

TEST(JsonDocument, HasNullWhereItsLocationIsNoNumberAndReadsBack) {
  docarray::DocumentProto document;
  document.set_id("d");
  document.add_location(1);
  document.add_location(std::numeric_limits<float>::quiet_NaN());
  const std::string json = sparse_json(document);

  EXPECT_EQ(json, R"({"data":[{"id":"d","location":[1.0,null]}]})");
  EXPECT_TRUE(std::isnan(test::request_of(json).data().docs().docs(0).location(1)));
}

TEST(JsonDocument, WithAFieldOfAnotherTypeIsRefused) {
  for (std::uint32_t number = 1; number <= 19; ++number) {
    std::string document;
    if (number == docarray::DocumentProto::kGranularityFieldNumber ||
        number == docarray::DocumentProto::kAdjacencyFieldNumber) {
      append_bytes_field(document, number, "x");
    } else {
      append_varint_field(document, number, 1);
    }
    EXPECT_NE(document_refused(document).find("is of another type"), std::string::npos) << number;
  }
}

TEST(JsonDocument, WithAFieldTwiceIsRefused) {
  std::string document;
  append_bytes_field(document, 1, "a");
  append_bytes_field(document, 1, "b");

  EXPECT_EQ(document_refused(document), "DocumentProto: \"id\" occurs twice");
}

TEST(JsonDocument, WithTwoContentsIsRefused) {
  std::string document;
  append_bytes_field(document, docarray::DocumentProto::kTextFieldNumber, "a");
  append_bytes_field(document, docarray::DocumentProto::kBlobFieldNumber, "b");

  EXPECT_EQ(document_refused(document), "DocumentProto: more than one content");
}

TEST(JsonDocument, CutOffInsideIsRefused) {
  docarray::DocumentProto document;
  document.set_id("d");
  (*document.mutable_tags()->mutable_fields())["t"].mutable_list_value()->add_values();
  (*document.mutable_scores())["s"].set_value(1);
  document.mutable_embedding()->mutable_dense()->add_shape(0);
  const std::string bytes = bytes_of(document);

  for (std::size_t size = 1; size < bytes.size(); ++size) {
    std::string json;
    const absl::Status status = write_document(bytes.substr(0, size), json);
    docarray::DocumentProto oracle;
    EXPECT_EQ(status.ok(), oracle.ParseFromString(bytes.substr(0, size))) << size;
  }
}

TEST(JsonDocument, NestsToALimit) {
  const auto deep = [](std::size_t levels) {
    docarray::DocumentProto document;
    docarray::DocumentProto* at = &document;
    for (std::size_t i = 1; i < levels; ++i) at = at->add_chunks();
    return document;
  };

  document_json(deep(core::limits::kDocumentDepthMax));
  EXPECT_EQ(document_refused(bytes_of(deep(core::limits::kDocumentDepthMax + 1))),
            "DocumentProto: nests deeper than 16");
}

TEST(JsonDocument, WithTagsNestedABillionLaughsDeepIsRefused) {
  // Lists in lists, built from the inside without anybody's recursion.
  std::string value;
  for (int i = 0; i < 5'000; ++i) {
    std::string list;
    append_bytes_field(list, 1, value);
    value.clear();
    append_bytes_field(value, google::protobuf::Value::kListValueFieldNumber, list);
  }
  std::string entry;
  append_bytes_field(entry, 1, "k");
  append_bytes_field(entry, 2, value);
  std::string tags;
  append_bytes_field(tags, 1, entry);
  std::string document;
  append_bytes_field(document, docarray::DocumentProto::kTagsFieldNumber, tags);

  EXPECT_EQ(document_refused(document), "google.protobuf.Struct nests too deep");
}

TEST(JsonAnswer, HasNoDocumentsThatAreBytes) {
  jina::DataRequestProto response;
  response.mutable_data()->set_docs_bytes("pickled");

  EXPECT_NE(refused(bytes_of(response), absl::StatusCode::kUnimplemented).find("docs_bytes"),
            std::string::npos);
}

TEST(JsonAnswer, ThatIsNoMessageIsRefused) {
  refused("hello world", absl::StatusCode::kInvalidArgument);
  refused("\xff", absl::StatusCode::kInvalidArgument);
  jina::DataRequestProto response;
  response.add_routes()->mutable_start_time()->set_seconds(INT64_MAX);
  EXPECT_NE(refused(bytes_of(response), absl::StatusCode::kInvalidArgument).find("Timestamp"),
            std::string::npos);
}

TEST(JsonAnswer, IsNoLargerThanItMayBe) {
  jina::DataRequestProto response;
  for (int i = 0; i < 1000; ++i) response.mutable_data()->mutable_docs()->add_docs();
  std::string json = "before";

  const absl::Status status =
      write_data_response(bytes_of(response), JsonStyle::Http, json, 10'000);

  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(json, "before");
}

TEST(JsonAnswer, AppendsToWhatIsThere) {
  std::string json = "data: ";
  ASSERT_TRUE(write_document("", json).ok());

  EXPECT_EQ(json.substr(0, 16), R"(data: {"id":null)");
}

TEST(JsonAnswer, ToAFailedRequestHasOneStatus) {
  jina::DataRequestProto request;
  request.mutable_header()->set_request_id("r");
  request.mutable_header()->mutable_status()->set_description("from the client");
  jina::StatusProto status;
  status.set_description("ours");
  std::string json;
  ASSERT_TRUE(write_failed_request(bytes_of(request), bytes_of(status), json).ok());

  EXPECT_EQ(
      json,
      R"({"header":{"requestId":"r","status":{"code":0,"description":"ours","exception":null},"execEndpoint":"","targetExecutor":""},"parameters":null,"routes":null,"data":[]})");
  EXPECT_FALSE(write_failed_request("\x0a\x01\xff", "", json).ok());
}

TEST(JsonRequestForm, HasWhatIsThereAndReadsBack) {
  const auto request = test::request_of(
      R"({"data":[{"id":"d","text":"x"}],"execEndpoint":"/e","targetExecutor":"t","parameters":{"k":[1]}})");
  std::string json;
  ASSERT_TRUE(write_data_request(bytes_of(request), json).ok());

  EXPECT_EQ(
      json,
      R"({"data":[{"id":"d","text":"x"}],"execEndpoint":"/e","targetExecutor":"t","parameters":{"k":[1.0]}})");
  EXPECT_EQ(test::request_of(json).SerializeAsString(), request.SerializeAsString());

  json.clear();
  ASSERT_TRUE(write_data_request("", json).ok());
  EXPECT_EQ(json, "{}");
}

TEST(JsonStatus, HasItsException) {
  jina::StatusProto status;
  status.set_code(jina::StatusProto::ERROR);
  status.mutable_exception()->set_name("E");
  std::string json;
  ASSERT_TRUE(write_status(bytes_of(status), json).ok());

  EXPECT_EQ(
      json,
      R"({"code":1,"description":"","exception":{"name":"E","args":[],"stacks":[],"executor":""}})");
}

}  // namespace
}  // namespace flow::wire
