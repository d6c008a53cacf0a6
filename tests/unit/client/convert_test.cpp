// SPDX-License-Identifier: Apache-2.0
#include "client/src/convert.hpp"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

#include <set>

#include "core/status.hpp"

namespace flow::client {
namespace {

using google::protobuf::TextFormat;
using google::protobuf::util::MessageDifferencer;
using testing::ElementsAre;
using testing::HasSubstr;

template <class Message>
Message parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

docarray::DocumentProto converted(Document document) {
  docarray::DocumentProto message;
  const absl::Status status = to_proto(std::move(document), message);
  EXPECT_TRUE(status.ok()) << status;
  return message;
}

// What protobuf wrote comes back as it was.
void expect_survives(const std::string& text) {
  const auto message = parse<docarray::DocumentProto>(text);
  const docarray::DocumentProto back = converted(from_proto(docarray::DocumentProto(message)));
  EXPECT_TRUE(MessageDifferencer::Equals(message, back))
      << "expected " << message.DebugString() << "got " << back.DebugString();
}

TEST(DocumentConversion, KeepsEveryMember) {
  expect_survives(R"pb(
    id: "d"
    text: "t"
    granularity: 1
    adjacency: 2
    parent_id: "p"
    weight: 0.5
    uri: "u"
    modality: "m"
    mime_type: "text/plain"
    offset: 1.5
    location: 1
    location: 2
    chunks {
      id: "c"
      chunks { id: "cc" blob: "\000\377" }
    }
    matches {
      id: "m1"
      scores {
        key: "cos"
        value { value: 0.3 op_name: "o" description: "d" ref_id: "r" }
      }
    }
    embedding {
      dense { buffer: "\000\000\200?" shape: 1 dtype: "<f4" }
      cls_name: "numpy"
    }
    tags {
      fields {
        key: "a"
        value { number_value: 1 }
      }
      fields {
        key: "n"
        value { null_value: NULL_VALUE }
      }
      fields {
        key: "l"
        value {
          list_value {
            values { bool_value: true }
            values { string_value: "x" }
          }
        }
      }
      fields {
        key: "s"
        value {
          struct_value {
            fields {
              key: "b"
              value { number_value: 2 }
            }
          }
        }
      }
    }
    evaluations {
      key: "e"
      value { value: 1 }
    }
    _metadata {
      fields {
        key: "k"
        value { string_value: "v" }
      }
    })pb");
}

TEST(DocumentConversion, KeepsTensorsDenseAndSparse) {
  expect_survives(R"pb(tensor {
                         dense { buffer: "12345678" shape: 2 shape: 1 dtype: "<f4" }
                         parameters {
                           fields {
                             key: "k"
                             value { number_value: 1 }
                           }
                         }
                       })pb");
  expect_survives(R"pb(
    tensor {
      sparse {
        indices { buffer: "00000000" shape: 1 shape: 1 dtype: "<i8" }
        values { buffer: "1234" shape: 1 dtype: "<f4" }
        shape: 100
      }
      cls_name: "scipy"
    })pb");
}

TEST(DocumentConversion, KeepsAnEmptyTextAndAnEmptyBlob) {
  expect_survives(R"pb(text: "")pb");
  expect_survives(R"pb(blob: "")pb");
  expect_survives("");
}

TEST(DocumentConversion, TakesWhatPeopleWrite) {
  Document document = Document::of_tensor(NdArray(std::vector<std::uint8_t>{1, 2}, {2, 1}));
  document.embedding = NdArray{0.5f};
  document.tags = {{"lang", "en"}};
  const docarray::DocumentProto message = converted(document);
  EXPECT_EQ(message.tensor().dense().buffer(), "\x01\x02");
  EXPECT_EQ(message.tensor().dense().dtype(), "|u1");
  EXPECT_EQ(message.embedding().dense().shape(0), 1u);
  EXPECT_EQ(message.tags().fields().at("lang").string_value(), "en");
  EXPECT_EQ(from_proto(docarray::DocumentProto(message)), document);
}

TEST(DocumentConversion, RefusesTextThatIsNotUtf8) {
  Document nested;
  nested.chunks.push_back(Document::of_text("\xff"));
  Document tagged;
  tagged.tags = {{"a", Json::Array{"\xc0\x80"}}};
  Document keyed;
  keyed.tags = {{"\xff", 1}};
  Document scored;
  scored.scores["x"].op_name = "\xff";
  Document named;
  named.id = "\xff";
  for (Document& each : std::vector<Document>{nested, tagged, keyed, scored, named}) {
    docarray::DocumentProto message;
    const absl::Status status = to_proto(std::move(each), message);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(core::message(status)), HasSubstr("is not UTF-8"));
  }
}

TEST(DocumentConversion, RefusesDepthsThatNobodyCouldRead) {
  Document document;
  for (int i = 0; i < 200; ++i) {
    Document outer;
    outer.chunks.push_back(std::move(document));
    document = std::move(outer);
  }
  docarray::DocumentProto message;
  EXPECT_FALSE(to_proto(std::move(document), message).ok());

  Json deep;
  for (int i = 0; i < 200; ++i) deep = Json::Array{deep};
  google::protobuf::Struct members;
  EXPECT_FALSE(to_proto({{"deep", deep}}, members).ok());
}

TEST(ResponseConversion, HasDocumentsParametersAndRoutes) {
  const Response response = response_from(parse<jina::DataRequestProto>(R"pb(
    header { request_id: "id" }
    parameters {
      fields {
        key: "k"
        value { number_value: 2 }
      }
    }
    routes {
      executor: "gateway"
      start_time { seconds: 10 nanos: 5 }
      end_time { seconds: 11 }
    }
    routes {
      executor: "skipped"
      start_time { seconds: 10 }
    }
    data { docs { docs { id: "d" text: "t" } } })pb"));
  EXPECT_TRUE(response.status.ok());
  EXPECT_EQ(response.request_id, "id");
  EXPECT_EQ(response.parameters.at("k").number(), 2);
  ASSERT_EQ(response.routes.size(), 2u);
  EXPECT_EQ(response.routes[0].start->time_since_epoch(),
            std::chrono::seconds(10) + std::chrono::nanoseconds(5));
  EXPECT_FALSE(response.routes[1].end);
  ASSERT_EQ(response.documents.size(), 1u);
  EXPECT_EQ(response.documents[0].text(), "t");
}

TEST(ResponseConversion, ReadsDocumentsThatComeAsBytes) {
  docarray::DocumentArrayProto documents;
  documents.add_docs()->set_id("d");
  jina::DataRequestProto message;
  message.mutable_data()->set_docs_bytes(documents.SerializeAsString());
  EXPECT_EQ(response_from(std::move(message)).documents.at(0).id, "d");
}

TEST(ResponseConversion, SaysWhenThoseBytesAreNoDocuments) {
  jina::DataRequestProto message;
  message.mutable_data()->set_docs_bytes("\xff\xff\xff");
  EXPECT_EQ(response_from(std::move(message)).status.code(), absl::StatusCode::kInternal);
}

TEST(ResponseConversion, MakesAnErrorAStatusThatNamesTheExecutor) {
  const Response response = response_from(parse<jina::DataRequestProto>(R"pb(
    header {
      status {
        code: ERROR
        description: "ValueError('boom')"
        exception { name: "ValueError" executor: "Boom" }
      }
    })pb"));
  EXPECT_EQ(response.status, absl::UnknownError("executor \"Boom\": ValueError('boom')"));
}

TEST(ResponseConversion, TellsAnUnreachableExecutorFromOneThatFailed) {
  const absl::Status status =
      status_from(parse<jina::StatusProto>(R"pb(code: ERROR
                                                description: "no way"
                                                exception { name: "InternalNetworkError" })pb"));
  EXPECT_EQ(status, absl::UnavailableError("no way"));
}

TEST(ResponseConversion, SurvivesTimesThatAreNone) {
  const Response response = response_from(parse<jina::DataRequestProto>(R"pb(
    routes {
      start_time { seconds: 9223372036854775807 nanos: 2147483647 }
      end_time { seconds: -9223372036854775808 nanos: -2147483648 }
    })pb"));
  EXPECT_EQ(response.routes.at(0).end->time_since_epoch().count(), 0);
}

TEST(RequestId, Has32DigitsAndIsNeverGivenTwice) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(make_id());
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_THAT(*ids.begin(), testing::MatchesRegex("[0-9a-f]{32}"));
}

}  // namespace
}  // namespace flow::client
