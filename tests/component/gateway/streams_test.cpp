// SPDX-License-Identifier: Apache-2.0
// Streams through the gateway's services with executors that answer late, wrongly or not at all.
#include "core/limits.hpp"
#include "gateway/services/deep_dry_run.hpp"
#include "gateway/services/stream_traversal.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/gateway/fake_executor.hpp"
#include "tests/unit/gateway/empty_flow.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

// ---- JinaRPC/Call -------------------------------------------------------------------------------

std::string request(const std::string& id) {
  jina::DataRequestProto message;
  message.mutable_header()->set_request_id(id);
  return wire::frame(message.SerializeAsString());
}

class CallTest : public testing::Test {
 protected:
  void open() { stream_ = make_data_stream(flow_.context(), call_); }
  void ask(const std::string& id) {
    ASSERT_TRUE(stream_->wants_message());
    stream_->on_message(request(id));
  }
  FakeExecutor& executor() { return *flow_.fakes[0]; }
  void wait_for_requests(std::size_t count) {
    flow_.wait("requests at the executor", [&] { return executor().waiting() == count; });
  }
  void wait_for_answers(std::size_t count) {
    flow_.wait("answers", [&] { return call_.sent.size() == count; });
  }
  std::vector<std::string> ids() {
    std::vector<std::string> ids;
    for (const std::string& framed : call_.sent) {
      ids.push_back(parsed<jina::DataRequestProto>(framed).header().request_id());
    }
    return ids;
  }
  jina::StatusProto status_of(std::size_t answer) {
    return parsed<jina::DataRequestProto>(call_.sent.at(answer)).header().status();
  }

  FlowOfFakes flow_{1, [](core::GatewayConfig& config) { config.max_in_flight = 8; }};
  FakeCall call_;
  std::unique_ptr<GrpcHandler> stream_;
};

TEST_F(CallTest, AnswersComeAsTheyAreReady) {
  open();
  for (const char* id : {"1", "2", "3"}) ask(id);
  wait_for_requests(3);
  executor().call_of("3").echo();
  wait_for_answers(1);
  executor().call_of("1").echo();
  wait_for_answers(2);
  executor().call_of("2").echo();
  wait_for_answers(3);
  EXPECT_THAT(ids(), ElementsAre("3", "1", "2"));
  EXPECT_EQ(call_.held, 0u);
}

TEST_F(CallTest, AnswersWaitForThoseBeforeThemIfTheCallerWantsOrder) {
  call_.fields.add("__results_in_order__", "true");
  open();
  for (const char* id : {"1", "2", "3"}) ask(id);
  wait_for_requests(3);
  executor().call_of("3").echo();
  executor().call_of("2").call.finish(core::error(absl::StatusCode::kUnavailable, "gone"));
  wait_for_requests(1);
  EXPECT_TRUE(call_.sent.empty());
  EXPECT_GT(call_.held, 0u);

  executor().call_of("1").echo();
  wait_for_answers(3);
  EXPECT_THAT(ids(), ElementsAre("1", "2", "3"));
  EXPECT_EQ(status_of(1).exception().name(), "InternalNetworkError");
  EXPECT_EQ(call_.held, 0u);
}

TEST_F(CallTest, AnExecutorThatRunsOutOfTheStreamsTimeALittleEarlyEndsTheStreamAsItsDeadlineDoes) {
  const auto time_is_up = core::error(absl::StatusCode::kDeadlineExceeded, "Deadline Exceeded");
  open();
  ask("1");
  wait_for_requests(1);
  call_.until = Clock::now() + 5ms;
  executor().call_of("1").call.finish(time_is_up);
  flow_.wait("the end of the stream", [&] { return !call_.finished.empty(); });
  EXPECT_EQ(call_.finished[0].code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(call_.sent.empty());
}

TEST_F(CallTest, AnExecutorThatRunsOutOfTimeWhenTheStreamHasPlentyFailsItsRequestAlone) {
  const auto time_is_up = core::error(absl::StatusCode::kDeadlineExceeded, "Deadline Exceeded");
  call_.until = Clock::now() + 1h;
  open();
  ask("1");
  wait_for_requests(1);
  executor().call_of("1").call.finish(time_is_up);
  wait_for_answers(1);
  EXPECT_EQ(status_of(0).code(), jina::StatusProto::ERROR);
  EXPECT_TRUE(call_.finished.empty());
}

TEST_F(CallTest, OrderIsOnlyForWhoAsksForTrue) {
  call_.fields.add("__results_in_order__", "false");
  open();
  ask("1");
  ask("2");
  wait_for_requests(2);
  executor().call_of("2").echo();
  wait_for_answers(1);
}

TEST_F(CallTest, PrefetchBoundsWhatIsUnderwayAndAnAnswerMakesRoom) {
  call_.fields.add("__prefetch__", "2");
  open();
  ask("1");
  ask("2");
  EXPECT_FALSE(stream_->wants_message());
  wait_for_requests(2);
  executor().call_of("1").echo();
  wait_for_answers(1);
  EXPECT_EQ(call_.wanted, 1);
  EXPECT_TRUE(stream_->wants_message());
}

TEST_F(CallTest, AnAnswerThatWaitsForAnotherCountsAsUnderway) {
  call_.fields.add("__results_in_order__", "true");
  call_.fields.add("__prefetch__", "2");
  open();
  ask("1");
  ask("2");
  wait_for_requests(2);
  executor().call_of("2").echo();
  wait_for_requests(1);
  EXPECT_FALSE(stream_->wants_message());
}

TEST_F(CallTest, TheConfiguredPrefetchIsForWhoSaysNothing) {
  flow_.config.gateway.prefetch = 1;
  for (const std::string_view said : {"", "0", "-1", "many", "1x", "99999999999"}) {
    FakeCall call;
    if (!said.empty()) call.fields.add("__prefetch__", said);
    const auto stream = make_data_stream(flow_.context(), call);
    stream->on_message(request("1"));
    EXPECT_FALSE(stream->wants_message()) << said;
  }
}

TEST_F(CallTest, APrefetchOf0IsNoBoundButThePlacesAre) {
  flow_.config.gateway.prefetch = 0;
  open();
  for (int i = 0; i < 6; ++i) ask(std::to_string(i));
  EXPECT_FALSE(stream_->wants_message()) << "a quarter of the 8 places is for others";
  wait_for_requests(6);
  executor().call_of("3").echo();
  flow_.wait("its turn", [&] { return call_.wanted > 0 && stream_->wants_message(); });
}

TEST_F(CallTest, ManyBytesUnderwayHoldTheCallerBack) {
  open();
  jina::DataRequestProto large;
  large.mutable_header()->set_request_id("large");
  large.mutable_data()->mutable_docs()->add_docs()->set_text(
      std::string(core::limits::kStreamHeldMax, 'x'));
  stream_->on_message(wire::frame(large.SerializeAsString()));
  EXPECT_FALSE(stream_->wants_message());
  EXPECT_GT(call_.held, core::limits::kStreamHeldMax);
}

TEST_F(CallTest, TheEndWaitsForWhatIsUnderway) {
  open();
  ask("1");
  stream_->on_end();
  EXPECT_TRUE(call_.finished.empty());
  wait_for_requests(1);
  executor().call_of("1").echo();
  flow_.wait("the end", [&] { return !call_.finished.empty(); });
  EXPECT_THAT(ids(), ElementsAre("1"));
  EXPECT_TRUE(call_.finished[0].ok());
}

TEST_F(CallTest, ADrainFinishesWhatIsUnderway) {
  open();
  ask("1");
  stream_->on_drain();
  EXPECT_FALSE(stream_->wants_message());
  wait_for_requests(1);
  executor().call_of("1").echo();
  flow_.wait("the end", [&] { return !call_.finished.empty(); });
  EXPECT_THAT(ids(), ElementsAre("1"));
  EXPECT_EQ(call_.finished[0].code(), absl::StatusCode::kUnavailable);
}

TEST_F(CallTest, WhoLeavesTakesEverythingUnderwayWithHim) {
  open();
  for (int i = 0; i < 5; ++i) ask(std::to_string(i));
  wait_for_requests(5);
  stream_.reset();
  flow_.wait("the executor to hear of it", [&] { return executor().pending.empty(); });
  EXPECT_EQ(flow_.context().admission.taken(), 0u);
}

TEST_F(CallTest, AnExecutorsOwnErrorIsPassedOn) {
  open();
  ask("1");
  wait_for_requests(1);
  jina::DataRequestProto failed;
  failed.mutable_header()->mutable_status()->set_code(jina::StatusProto::ERROR);
  failed.mutable_header()->mutable_status()->mutable_exception()->set_executor("a");
  executor().call_of("1").answer(wire::frame(failed.SerializeAsString()));
  wait_for_answers(1);
  EXPECT_EQ(status_of(0).exception().executor(), "a");
}

TEST_F(CallTest, ATimeOutFailsItsRequestAlone) {
  flow_.config.gateway.timeout_send = 50ms;
  open();
  ask("1");
  wait_for_answers(1);
  EXPECT_THAT(status_of(0).description(), HasSubstr("timed out"));
  EXPECT_TRUE(call_.finished.empty());
  EXPECT_EQ(flow_.context().admission.taken(), 0u);
}

TEST_F(CallTest, AnExecutorThatIsGoneFailsTheRequestsAndNotTheStream) {
  open();
  ask("1");
  wait_for_requests(1);
  flow_.fakes[0].reset();
  wait_for_answers(1);
  flow_.wait("it to be known", [&] { return !flow_.context().readiness.verdict().ready; });
  ask("2");
  wait_for_answers(2);
  EXPECT_THAT(ids(), ElementsAre("1", "2"));
  EXPECT_THAT(status_of(1).description(), HasSubstr("Communication error with deployment a"));
  EXPECT_EQ(status_of(1).exception().stacks_size(), 1);
  EXPECT_TRUE(call_.finished.empty());
}

// ---- stream_doc ---------------------------------------------------------------------------------

std::string document_request(const std::string& id, const std::string& text = "x") {
  jina::SingleDocumentRequestProto message;
  message.mutable_header()->set_request_id(id);
  message.mutable_header()->set_exec_endpoint("/stream");
  message.mutable_document()->set_text(text);
  return wire::frame(message.SerializeAsString());
}

class DocumentStreamTest : public testing::Test, protected StreamTraversal::Listener {
 protected:
  void start(const std::string& framed, std::optional<Clock::time_point> deadline = std::nullopt) {
    traversal_ = std::make_unique<StreamTraversal>(flow_.context());
    traversal_->start(framed, deadline, *this);
  }
  void on_part(std::string framed) override {
    parts_.push_back(parsed<jina::SingleDocumentRequestProto>(framed));
    if (leave_after_ == parts_.size()) traversal_.reset();
  }
  bool wants_part() override { return parts_.size() < wanted_; }
  void on_done(const absl::Status& status) override {
    done_.push_back(status);
    traversal_.reset();
  }

  FakeExecutor::Pending& wait_for_call(std::size_t executor) {
    flow_.wait("a call", [&] { return flow_.fakes[executor]->waiting() == 1; });
    return *flow_.fakes[executor]->pending[0];
  }
  void wait_for_end() {
    flow_.wait("the end", [&] { return !done_.empty(); });
  }
  std::vector<std::string> texts() {
    std::vector<std::string> texts;
    for (const auto& part : parts_) texts.push_back(part.document().text());
    return texts;
  }

  FlowOfFakes flow_{2};
  std::unique_ptr<StreamTraversal> traversal_;
  std::vector<jina::SingleDocumentRequestProto> parts_;
  std::size_t wanted_ = 1'000'000;
  std::size_t leave_after_ = 0;
  std::vector<absl::Status> done_;
};

TEST_F(DocumentStreamTest, PassesThroughTheChainAndTheLastExecutorStreams) {
  start(document_request("id"));
  auto& first = wait_for_call(0);
  EXPECT_TRUE(first.path.ends_with("/process_single_data"));
  auto data = parsed<jina::DataRequestProto>(first.request);
  ASSERT_EQ(data.data().docs().docs_size(), 1);
  data.mutable_data()->mutable_docs()->mutable_docs(0)->set_text("edited");
  first.answer(wire::frame(data.SerializeAsString()));

  auto& last = wait_for_call(1);
  EXPECT_TRUE(last.path.ends_with("/stream_doc"));
  const auto asked = parsed<jina::SingleDocumentRequestProto>(last.request);
  EXPECT_EQ(asked.document().text(), "edited");
  EXPECT_EQ(asked.header().exec_endpoint(), "/stream");
  for (const char* text : {"1", "2", "3"}) {
    last.call.send(document_request("id", text));
    flow_.wait("the part", [&] { return !parts_.empty() && texts().back() == text; });
  }
  last.call.finish(absl::OkStatus());
  wait_for_end();
  EXPECT_TRUE(done_[0].ok());
  EXPECT_EQ(parts_[0].header().request_id(), "id");
  EXPECT_EQ(flow_.context().admission.taken(), 0u);
}

TEST_F(DocumentStreamTest, GivesPartsTheCallersIdWhateverTheExecutorSays) {
  start(document_request("id"));
  wait_for_call(0).echo();
  auto& last = wait_for_call(1);
  last.call.send(document_request("another", "1"));
  last.call.finish(absl::OkStatus());
  wait_for_end();
  ASSERT_EQ(parts_.size(), 1u);
  EXPECT_EQ(parts_[0].header().request_id(), "id");
  EXPECT_EQ(parts_[0].document().text(), "1");
}

TEST_F(DocumentStreamTest, AFailureOnTheWayIsTheOnlyPart) {
  start(document_request("id"));
  auto& first = wait_for_call(0);
  jina::DataRequestProto failed;
  failed.mutable_header()->mutable_status()->set_code(jina::StatusProto::ERROR);
  failed.mutable_header()->mutable_status()->set_description("no");
  first.answer(wire::frame(failed.SerializeAsString()));
  wait_for_end();
  EXPECT_TRUE(done_[0].ok());
  ASSERT_EQ(parts_.size(), 1u);
  EXPECT_EQ(parts_[0].header().status().description(), "no");
  EXPECT_EQ(parts_[0].header().request_id(), "id");
}

TEST_F(DocumentStreamTest, SeveralDocumentsWhereOneIsStreamedAreRefused) {
  start(document_request("id"));
  auto& first = wait_for_call(0);
  jina::DataRequestProto two;
  two.mutable_data()->mutable_docs()->add_docs();
  two.mutable_data()->mutable_docs()->add_docs();
  first.answer(wire::frame(two.SerializeAsString()));
  wait_for_end();
  EXPECT_EQ(done_[0].code(), absl::StatusCode::kUnimplemented);
}

TEST_F(DocumentStreamTest, AListenerThatWantsNoMoreHoldsTheExecutorBackAndNotForEver) {
  wanted_ = 1;
  start(document_request("id"));
  wait_for_call(0).echo();
  auto& last = wait_for_call(1);
  const std::string large = document_request("id", std::string(100'000, 'x'));
  for (int i = 0; i < 100; ++i) last.call.send(large);
  flow_.wait("the window to be full",
             [&] { return parts_.size() == 1 && last.call.unsent() < 6'000'000; });
  EXPECT_GT(last.call.unsent(), 5'000'000u);

  last.call.finish(absl::OkStatus());
  wanted_ = 1000;
  traversal_->part_wanted();
  wait_for_end();
  EXPECT_EQ(parts_.size(), 100u);
  EXPECT_TRUE(done_[0].ok());
}

TEST_F(DocumentStreamTest, TheTimeThatTheListenerTakesIsNotTheExecutors) {
  flow_.config.gateway.timeout_send = 100ms;
  wanted_ = 1;
  start(document_request("id"));
  wait_for_call(0).echo();
  auto& last = wait_for_call(1);
  for (int i = 0; i < 3; ++i) last.call.send(document_request("id"));
  const Clock::time_point later = Clock::now() + 250ms;
  flow_.wait("some time", [&] { return Clock::now() > later; });
  EXPECT_TRUE(done_.empty());

  wanted_ = 9;
  traversal_->part_wanted();
  EXPECT_EQ(parts_.size(), 3u);
  wait_for_end();
  EXPECT_EQ(done_[0].code(), absl::StatusCode::kDeadlineExceeded)
      << "now it is the executor's turn";
  flow_.wait("it to hear of that", [&] { return flow_.fakes[1]->pending.empty(); });
}

TEST_F(DocumentStreamTest, TheCallersDeadlineCountsWhoeverTakesTheTime) {
  wanted_ = 0;
  start(document_request("id"), Clock::now() + 100ms);
  wait_for_call(0).echo();
  wait_for_call(1).call.send(document_request("id"));
  wait_for_end();
  EXPECT_EQ(done_[0].code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(DocumentStreamTest, WhoLeavesInTheMiddleTakesTheWorkWithHim) {
  leave_after_ = 2;
  start(document_request("id"));
  wait_for_call(0).echo();
  auto& last = wait_for_call(1);
  for (int i = 0; i < 5; ++i) last.call.send(document_request("id"));
  flow_.wait("the executor to hear of it", [&] { return flow_.fakes[1]->pending.empty(); });
  EXPECT_EQ(parts_.size(), 2u);
  EXPECT_TRUE(done_.empty());
  EXPECT_EQ(flow_.context().admission.taken(), 0u);
}

TEST_F(DocumentStreamTest, AnExecutorThatFailsInTheMiddleIsToldAfterWhatItSent) {
  start(document_request("id"));
  wait_for_call(0).echo();
  auto& last = wait_for_call(1);
  last.call.send(document_request("id", "1"));
  last.call.finish(core::error(absl::StatusCode::kResourceExhausted, "too much"));
  wait_for_end();
  EXPECT_THAT(texts(), ElementsAre("1"));
  EXPECT_EQ(done_[0].code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(done_[0].message()), HasSubstr("executor \"b\""));
}

TEST_F(DocumentStreamTest, WhatIsNoMessageIsRefusedFromEitherSide) {
  start(wire::frame("\xff\xff"));
  wait_for_end();
  EXPECT_EQ(done_[0].code(), absl::StatusCode::kInvalidArgument);

  done_.clear();
  start(document_request("id"));
  wait_for_call(0).echo();
  wait_for_call(1).call.send(wire::frame("\xff\xff"));
  wait_for_end();
  EXPECT_EQ(done_[0].code(), absl::StatusCode::kInternal);
  flow_.wait("the executor to hear of it", [&] { return flow_.fakes[1]->pending.empty(); });
}

// ---- the deep dry run ---------------------------------------------------------------------------

class DeepDryRunTest : public testing::Test {
 protected:
  struct Asker {
    explicit Asker(DeepDryRun& run) : question(run) {
      question.ask([this](const DryRunAnswer& given) { answer = given; });
    }
    DeepDryRun::Question question;
    std::optional<DryRunAnswer> answer;
  };
  FakeExecutor::Pending& wait_for_call(std::size_t executor) {
    flow_.wait("a call", [&] { return flow_.fakes[executor]->waiting() == 1; });
    return *flow_.fakes[executor]->pending[0];
  }
  void wait_for(const Asker& asker) {
    flow_.wait("an answer", [&] { return asker.answer.has_value(); });
  }
  FlowOfFakes flow_{2};
};

TEST_F(DeepDryRunTest, AsksEveryExecutorOnceForAllWhoAskAtATime) {
  Asker first(flow_.deep_dry_run());
  auto& a = wait_for_call(0);
  EXPECT_EQ(parsed<jina::DataRequestProto>(a.request).header().exec_endpoint(), "_jina_dry_run_");
  Asker second(flow_.deep_dry_run());
  a.echo();
  wait_for_call(1).echo();
  wait_for(first);
  wait_for(second);
  EXPECT_TRUE(first.answer->success);
  EXPECT_EQ(first.answer->grpc, wire::frame(""));
  EXPECT_TRUE(second.answer->success);
  EXPECT_TRUE(flow_.fakes[0]->pending.empty()) << "it was one request";

  Asker third(flow_.deep_dry_run());
  wait_for_call(0);
}

TEST_F(DeepDryRunTest, AnExecutorsOwnDryRunMayFailIt) {
  Asker asker(flow_.deep_dry_run());
  wait_for_call(0).echo();
  jina::DataRequestProto failed;
  auto& status = *failed.mutable_header()->mutable_status();
  status.set_code(jina::StatusProto::ERROR);
  status.set_description("the index is not loaded");
  status.mutable_exception()->set_executor("b");
  wait_for_call(1).answer(wire::frame(failed.SerializeAsString()));
  wait_for(asker);
  EXPECT_FALSE(asker.answer->success);
  EXPECT_EQ(parsed<jina::StatusProto>(asker.answer->grpc).exception().executor(), "b");
  EXPECT_THAT(asker.answer->json, HasSubstr("the index is not loaded"));
}

TEST_F(DeepDryRunTest, AnExecutorThatDoesNotAnswerIsNamedWhenTheTimeIsUp) {
  Asker asker(flow_.deep_dry_run());
  wait_for_call(0).echo();
  wait_for_call(1);
  wait_for(asker);
  const auto status = parsed<jina::StatusProto>(asker.answer->grpc);
  EXPECT_THAT(status.description(), HasSubstr("Connection with deployment b"));
  EXPECT_EQ(status.exception().name(), "InternalNetworkError");
  flow_.wait("it to hear of that", [&] { return flow_.fakes[1]->pending.empty(); });
}

TEST_F(DeepDryRunTest, WhenNobodyAsksAnyMoreItEnds) {
  auto first = std::make_unique<Asker>(flow_.deep_dry_run());
  auto second = std::make_unique<Asker>(flow_.deep_dry_run());
  wait_for_call(0);
  first.reset();
  EXPECT_EQ(flow_.fakes[0]->waiting(), 1u);
  second.reset();
  flow_.wait("the executor to hear of it", [&] { return flow_.fakes[0]->pending.empty(); });
}

TEST_F(DeepDryRunTest, AnOverloadedGatewayIsProbedAllTheSame) {
  std::vector<Admission::Place> places;
  while (auto place = flow_.context().admission.take(Admission::Kind::Call)) {
    places.push_back(std::move(place));
  }
  Asker asker(flow_.deep_dry_run());
  wait_for_call(0).echo();
  wait_for_call(1).echo();
  wait_for(asker);
  EXPECT_TRUE(asker.answer->success);
}

TEST_F(DeepDryRunTest, AnAnswerMayDestroyWhoeverAsked) {
  std::unique_ptr<Asker> bystander;
  auto question = std::make_unique<DeepDryRun::Question>(flow_.deep_dry_run());
  bool told = false;
  question->ask([&](const DryRunAnswer&) {
    told = true;
    question.reset();
    bystander.reset();
  });
  bystander = std::make_unique<Asker>(flow_.deep_dry_run());
  wait_for_call(0).echo();
  wait_for_call(1).echo();
  flow_.wait("the answer", [&] { return told; });
}

}  // namespace
}  // namespace flow::gateway
