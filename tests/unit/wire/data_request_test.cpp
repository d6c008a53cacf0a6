// SPDX-License-Identifier: Apache-2.0
// Routing looks at a DataRequestProto as bytes; libprotobuf is the judge of what it wrote.
#include "wire/data_request.hpp"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jina.pb.h"
#include "wire/grpc.hpp"

namespace flow::wire {
namespace {

using namespace std::chrono_literals;

jina::DataRequestProto sample() {
  jina::DataRequestProto request;
  request.mutable_header()->set_request_id("0123456789abcdef0123456789abcdef");
  request.mutable_header()->set_exec_endpoint("/foo");
  (*request.mutable_parameters()->mutable_fields())["k"].set_number_value(1);
  auto* document = request.mutable_data()->mutable_docs()->add_docs();
  document->set_id("d1");
  document->set_text("hello");
  return request;
}

jina::DataRequestProto parsed(const std::string& framed) {
  jina::DataRequestProto message;
  const std::string_view bytes = payload(framed);
  EXPECT_EQ(framed, frame(bytes)) << "a message must be framed";
  EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}

TEST(DataRequest, ItsIdIsFoundAlthoughTheRestIsBroken) {
  using namespace std::string_view_literals;
  const std::string whole = sample().SerializeAsString();
  EXPECT_EQ(find_request_id(whole), sample().header().request_id());
  EXPECT_EQ(find_request_id(whole + "\xff"), sample().header().request_id());
  EXPECT_EQ(find_request_id(whole + whole), sample().header().request_id());
  for (const std::string_view without :
       {""sv, "\xff"sv, "\x22\0"sv, "\x0a\0"sv, "\x08\x01"sv, "\x0a\x02\x08\x01"sv,
        "\x0a\x03\x0a\x05x"sv, "\x0a\x03\x0a\x01\xff"sv}) {
    EXPECT_EQ(find_request_id(without), "");
  }
}

TEST(DataRequest, IsScannedForWhatRoutingNeeds) {
  jina::DataRequestProto request = sample();
  request.mutable_header()->set_target_executor("exec.*");
  request.mutable_header()->set_timeout(1500);
  const std::string bytes = request.SerializeAsString();

  const auto view = scan_data_request(bytes);

  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->request_id, "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(view->exec_endpoint, "/foo");
  EXPECT_EQ(view->target_executor, "exec.*");
  EXPECT_EQ(view->timeout_ms, 1500u);
  EXPECT_FALSE(view->is_error());
  EXPECT_TRUE(view->canonical);
}

TEST(DataRequest, WithoutAnythingIsStillARequest) {
  const auto view = scan_data_request("");

  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->request_id, "");
  EXPECT_EQ(view->exec_endpoint, std::nullopt);
  EXPECT_FALSE(view->canonical) << "an executor must be given an id";
}

TEST(DataRequest, ThatFailedIsToldFromOneThatSucceeded) {
  jina::DataRequestProto request = sample();
  request.mutable_header()->mutable_status()->set_description("fine");
  EXPECT_FALSE(scan_data_request(request.SerializeAsString())->is_error());

  request.mutable_header()->mutable_status()->set_code(jina::StatusProto::ERROR);
  const std::string bytes = request.SerializeAsString();
  EXPECT_TRUE(scan_data_request(bytes)->is_error());
}

TEST(DataRequest, ThatIsNoMessageIsRefused) {
  const std::string bytes = sample().SerializeAsString();

  EXPECT_FALSE(scan_data_request("hello world").ok());
  EXPECT_FALSE(scan_data_request(bytes.substr(0, bytes.size() - 1)).ok());
  EXPECT_FALSE(canonicalise_data_request("\xff\xff\xff").ok());
}

TEST(DataRequest, WithAnIdThatIsNotUtf8IsRefused) {
  std::string bytes = sample().SerializeAsString();
  bytes.replace(bytes.find("0123"), 4, "\xff\xfe\xfd\xfc");

  EXPECT_FALSE(scan_data_request(bytes).ok());
}

TEST(DataRequest, OfSeveralPiecesIsMergedAsProtobufSays) {
  jina::DataRequestProto more;
  more.mutable_header()->set_target_executor("b");
  more.mutable_data()->mutable_docs()->add_docs()->set_id("d2");
  const std::string bytes = sample().SerializeAsString() + more.SerializeAsString();
  ASSERT_FALSE(scan_data_request(bytes).ok());

  const auto canonical = canonicalise_data_request(bytes);

  ASSERT_TRUE(canonical.ok());
  const auto view = scan_data_request(*canonical);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->exec_endpoint, "/foo");
  EXPECT_EQ(view->target_executor, "b");
  EXPECT_EQ(parsed(executor_request(*view, "id", view->exec_endpoint)).data().docs().docs_size(),
            2);
}

TEST(ExecutorRequest, CarriesNoRoutesStatusOrTarget) {
  jina::DataRequestProto request = sample();
  request.add_routes()->set_executor("earlier");
  request.mutable_header()->set_target_executor("x");
  request.mutable_header()->mutable_status()->set_code(jina::StatusProto::ERROR);
  const std::string bytes = request.SerializeAsString();
  const auto view = scan_data_request(bytes);
  ASSERT_TRUE(view.ok());
  EXPECT_FALSE(view->canonical);

  const jina::DataRequestProto sent =
      parsed(executor_request(*view, view->request_id, view->exec_endpoint));

  jina::DataRequestProto expected = sample();
  EXPECT_EQ(sent.SerializeAsString(), expected.SerializeAsString());
}

TEST(CallerResponse, HoldsRoutesWithTimesAndTheCallersOwnHeader) {
  const std::string bytes = sample().SerializeAsString();
  const auto view = scan_data_request(bytes);
  const WallTime start{std::chrono::seconds(1'700'000'000) + 5us};

  const jina::DataRequestProto answer = parsed(caller_response(
      *view, "my-id", "/bar",
      {{"gateway", start, start + 2s}, {"exec0", start, start + 1s}, {"exec1", start, {}}}));

  EXPECT_EQ(answer.header().request_id(), "my-id");
  EXPECT_EQ(answer.header().exec_endpoint(), "/bar");
  EXPECT_TRUE(answer.header().has_target_executor());
  EXPECT_EQ(answer.header().target_executor(), "");
  EXPECT_FALSE(answer.header().has_status());
  ASSERT_EQ(answer.routes_size(), 3);
  EXPECT_EQ(answer.routes(0).executor(), "gateway");
  EXPECT_EQ(answer.routes(0).start_time().seconds(), 1'700'000'000);
  EXPECT_EQ(answer.routes(0).start_time().nanos(), 5000);
  EXPECT_EQ(answer.routes(1).end_time().seconds(), 1'700'000'001);
  EXPECT_FALSE(answer.routes(2).has_end_time());
  EXPECT_EQ(answer.data().docs().docs(0).text(), "hello");
  EXPECT_EQ(answer.parameters().fields().at("k").number_value(), 1);
}

TEST(CallerResponse, TellsWhichExecutorFailed) {
  jina::DataRequestProto failed = sample();
  failed.mutable_header()->mutable_status()->set_code(jina::StatusProto::ERROR);
  failed.mutable_header()->mutable_status()->set_description("boom");
  const std::string bytes = failed.SerializeAsString();
  const auto view = scan_data_request(bytes);

  const jina::DataRequestProto answer =
      parsed(caller_response(*view, "id", std::nullopt,
                             {{"gateway", {}, WallTime{}}, {"a", {}, WallTime{}, view->status}}));

  EXPECT_EQ(answer.header().status().description(), "boom");
  EXPECT_EQ(answer.routes(1).status().description(), "boom");
  EXPECT_FALSE(answer.routes(0).has_status());
}

TEST(DataRequest, SurvivesMutation) {
  const std::string good = sample().SerializeAsString();
  std::mt19937 random(3);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto view = scan_data_request(bytes);
    if (!view.ok()) continue;
    ++accepted;
    // Whatever was accepted, what we write of it has a header that libprotobuf understands.
    const std::string sent = executor_request(*view, "id", view->exec_endpoint);
    EXPECT_EQ(scan_data_request(payload(sent))->request_id, "id");
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace flow::wire
