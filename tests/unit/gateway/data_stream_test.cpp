// SPDX-License-Identifier: Apache-2.0
// JinaRPC/Call by itself: requests that are answered at once, or not at all. What takes time is
// shown with an executor, in tests/component/gateway.
#include "core/limits.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jina.pb.h"
#include "tests/unit/gateway/empty_flow.hpp"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

using testing::ElementsAre;

std::string request(const std::string& id, const std::string& target = "") {
  jina::DataRequestProto message;
  message.mutable_header()->set_request_id(id);
  if (!target.empty()) message.mutable_header()->set_target_executor(target);
  return wire::frame(message.SerializeAsString());
}

jina::DataRequestProto parsed(std::string_view framed) {
  jina::DataRequestProto message;
  const std::string_view bytes = wire::payload(framed);
  EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}

class DataStreamTest : public testing::Test {
 protected:
  std::vector<std::string> answered_ids() {
    std::vector<std::string> ids;
    for (const std::string& framed : call_.sent)
      ids.push_back(parsed(framed).header().request_id());
    return ids;
  }

  EmptyFlow flow_;
  FakeCall call_;
  std::unique_ptr<GrpcHandler> stream_ = make_data_stream(flow_.context, call_);
};

TEST_F(DataStreamTest, AnswersEachRequestAndEndsWhenItsCallerDoes) {
  stream_->on_message(request("1"));
  stream_->on_message(request("2"));
  EXPECT_THAT(answered_ids(), ElementsAre("1", "2"));
  EXPECT_TRUE(call_.finished.empty());

  stream_->on_end();
  ASSERT_EQ(call_.finished.size(), 1u);
  EXPECT_TRUE(call_.finished[0].ok());
}

TEST_F(DataStreamTest, ABadRequestIsAnsweredAndTheStreamGoesOn) {
  stream_->on_message(wire::frame("\xff\xff\xff"));
  stream_->on_message(request("2", "("));
  stream_->on_message(request("3"));
  stream_->on_end();

  EXPECT_THAT(answered_ids(), ElementsAre("", "2", "3"));
  EXPECT_EQ(parsed(call_.sent[0]).header().status().exception().name(), "INVALID_ARGUMENT");
  EXPECT_EQ(parsed(call_.sent[1]).header().status().code(), jina::StatusProto::ERROR);
  EXPECT_FALSE(parsed(call_.sent[2]).header().has_status());
  EXPECT_TRUE(call_.finished[0].ok());
}

TEST_F(DataStreamTest, HoldsNothingOnceAllIsAnswered) {
  for (int i = 0; i < 10; ++i) stream_->on_message(request("1"));
  EXPECT_EQ(call_.held, 0u);
  EXPECT_EQ(flow_.context.admission.taken(), 0u);
}

TEST_F(DataStreamTest, ARequestForWhichThereIsNoMemoryFailsAlone) {
  call_.held_max = 20;
  stream_->on_message(request("a request with a long id"));
  stream_->on_message(request("2"));
  EXPECT_THAT(answered_ids(), ElementsAre("a request with a long id", "2"));
  EXPECT_EQ(parsed(call_.sent[0]).header().status().exception().name(), "RESOURCE_EXHAUSTED");
  EXPECT_FALSE(parsed(call_.sent[1]).header().has_status());
}

TEST_F(DataStreamTest, ADrainEndsAnIdleStreamAndWantsNoMore) {
  EXPECT_TRUE(stream_->wants_message());
  stream_->on_drain();
  EXPECT_FALSE(stream_->wants_message());
  ASSERT_EQ(call_.finished.size(), 1u);
  EXPECT_EQ(call_.finished[0].code(), absl::StatusCode::kUnavailable);
}

TEST_F(DataStreamTest, WithoutAPlaceItWaitsAndIsCalledWhenThereIsOne) {
  std::vector<Admission::Place> places;
  for (;;) {
    auto place = flow_.context.admission.take(Admission::Kind::Call);
    if (!place) break;
    places.push_back(std::move(place));
  }
  EXPECT_FALSE(stream_->wants_message());
  EXPECT_FALSE(stream_->wants_message()) << "it stands in line once";
  places.pop_back();
  flow_.loop.io().run_for(std::chrono::seconds(5));
  EXPECT_EQ(call_.wanted, 1);
  EXPECT_TRUE(stream_->wants_message());
}

}  // namespace
}  // namespace flow::gateway
