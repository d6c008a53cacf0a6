// SPDX-License-Identifier: Apache-2.0
// One request's way through a chain of executors, answer by answer, on made-up time.
#include "gateway/route/route.hpp"

#include <set>

#include "gateway/route/graph.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jina.pb.h"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr wire::WallTime kStart{std::chrono::seconds(1000)};

class RouteTest : public testing::Test {
 protected:
  static std::string framed(const jina::DataRequestProto& message) {
    return wire::frame(message.SerializeAsString());
  }
  static jina::DataRequestProto parsed(const std::string& framed) {
    jina::DataRequestProto message;
    const std::string_view bytes = wire::payload(framed);
    EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    return message;
  }
  static jina::DataRequestProto request(const std::string& text = "hello") {
    jina::DataRequestProto message;
    message.mutable_header()->set_request_id("the-id");
    message.mutable_data()->mutable_docs()->add_docs()->set_text(text);
    return message;
  }

  // Expects the step to send to `executor` and gives what is sent.
  jina::DataRequestProto sent_to(std::size_t executor, const Route::Step& step) {
    const auto* send = std::get_if<Route::Send>(&step);
    EXPECT_NE(send, nullptr);
    if (send == nullptr) return {};
    EXPECT_EQ(send->executor, executor);
    return parsed(send->framed);
  }
  jina::DataRequestProto answer_of(const Route::Step& step) {
    const auto* answer = std::get_if<Route::Answer>(&step);
    EXPECT_NE(answer, nullptr);
    return answer == nullptr ? jina::DataRequestProto() : parsed(answer->framed);
  }
  absl::Status failure_of(const Route::Step& step) {
    const auto* fail = std::get_if<Route::Fail>(&step);
    EXPECT_NE(fail, nullptr);
    return fail == nullptr ? absl::OkStatus() : fail->status;
  }

  std::vector<std::string> names_ = {"normalize", "encode"};
  std::set<std::pair<std::size_t, std::string>> unserved_;
  RouteContext context_{names_,
                        [this](std::size_t executor, std::string_view endpoint) {
                          return !unserved_.contains({executor, std::string(endpoint)});
                        },
                        [] { return "made-up-id"; }};
  Route route_{context_};
};

TEST_F(RouteTest, KnowsWhetherAnybodyComesAfter) {
  route_.start(framed(request()), kStart);
  EXPECT_FALSE(route_.is_last());
  route_.on_answer(framed(request()), kStart);
  EXPECT_TRUE(route_.is_last());
}

TEST_F(RouteTest, WhoIsPassedOverDoesNotComeAfter) {
  unserved_.insert({1, "/"});
  route_.start(framed(request()), kStart);
  EXPECT_TRUE(route_.is_last());

  Route targeted(context_);
  auto to_first = request();
  to_first.mutable_header()->set_target_executor("norm");
  unserved_.clear();
  targeted.start(framed(to_first), kStart);
  EXPECT_TRUE(targeted.is_last());
}

TEST_F(RouteTest, TellsTheIdOfARequestThatItRefuses) {
  auto bad = request();
  bad.mutable_header()->set_target_executor("(");
  EXPECT_FALSE(failure_of(route_.start(framed(bad), kStart)).ok());
  EXPECT_EQ(route_.request_id(), "the-id");

  Route broken(context_);
  const std::string cut_off = request().SerializeAsString() + "\xff";
  EXPECT_FALSE(failure_of(broken.start(wire::frame(cut_off), kStart)).ok());
  EXPECT_EQ(broken.request_id(), "the-id");

  Route hopeless(context_);
  EXPECT_FALSE(failure_of(hopeless.start(wire::frame("\xff"), kStart)).ok());
  EXPECT_EQ(hopeless.request_id(), "");
}

TEST_F(RouteTest, PassesThroughTheExecutorsInOrderEachSeeingTheAnswerOfTheOneBefore) {
  EXPECT_EQ(sent_to(0, route_.start(framed(request("a")), kStart)).data().docs().docs(0).text(),
            "a");
  EXPECT_EQ(
      sent_to(1, route_.on_answer(framed(request("b")), kStart + 1s)).data().docs().docs(0).text(),
      "b");

  const auto answer = answer_of(route_.on_answer(framed(request("c")), kStart + 2s));

  EXPECT_EQ(answer.data().docs().docs(0).text(), "c");
  EXPECT_EQ(answer.header().request_id(), "the-id");
  ASSERT_EQ(answer.routes_size(), 3);
  EXPECT_EQ(answer.routes(0).executor(), "gateway");
  EXPECT_EQ(answer.routes(0).end_time().seconds(), 1002);
  EXPECT_EQ(answer.routes(1).executor(), "normalize");
  EXPECT_EQ(answer.routes(1).start_time().seconds(), 1000);
  EXPECT_EQ(answer.routes(1).end_time().seconds(), 1001);
  EXPECT_EQ(answer.routes(2).executor(), "encode");
  EXPECT_EQ(answer.routes(2).start_time().seconds(), 1001);
}

TEST_F(RouteTest, GivesARequestWithoutAnIdOne) {
  jina::DataRequestProto anonymous = request();
  anonymous.clear_header();

  EXPECT_EQ(sent_to(0, route_.start(framed(anonymous), kStart)).header().request_id(),
            "made-up-id");
}

TEST_F(RouteTest, DoesNotLetAnExecutorChangeTheIdOrTheEndpoint) {
  jina::DataRequestProto asked = request();
  asked.mutable_header()->set_exec_endpoint("/mine");
  route_.start(framed(asked), kStart);
  jina::DataRequestProto changed = request();
  changed.mutable_header()->set_request_id("other");
  changed.mutable_header()->set_exec_endpoint("/other");

  const auto sent = sent_to(1, route_.on_answer(framed(changed), kStart));
  const auto answer = answer_of(route_.on_answer(framed(changed), kStart));

  EXPECT_EQ(sent.header().request_id(), "the-id");
  EXPECT_EQ(answer.header().request_id(), "the-id");
  EXPECT_EQ(answer.header().exec_endpoint(), "/mine");
}

TEST_F(RouteTest, EndsAtTheFirstExecutorThatFailsAndMarksItsRoute) {
  route_.start(framed(request()), kStart);
  jina::DataRequestProto failed = request();
  failed.mutable_header()->mutable_status()->set_code(jina::StatusProto::ERROR);
  failed.mutable_header()->mutable_status()->set_description("boom");

  const auto answer = answer_of(route_.on_answer(framed(failed), kStart + 1s));

  EXPECT_EQ(answer.header().status().description(), "boom");
  ASSERT_EQ(answer.routes_size(), 2) << "the rest of the path leaves no route";
  EXPECT_EQ(answer.routes(1).status().description(), "boom");
  EXPECT_FALSE(answer.routes(0).has_status());
}

TEST_F(RouteTest, PassesOverExecutorsThatDoNotServeTheEndpoint) {
  unserved_.insert({0, "/search"});
  jina::DataRequestProto search = request();
  search.mutable_header()->set_exec_endpoint("/search");

  sent_to(1, route_.start(framed(search), kStart));
  const auto answer = answer_of(route_.on_answer(framed(search), kStart));

  EXPECT_EQ(answer.routes(1).executor(), "normalize");
  EXPECT_FALSE(answer.routes(1).has_end_time());
  EXPECT_TRUE(answer.routes(2).has_end_time());
}

TEST_F(RouteTest, AsksForTheRootEndpointIfTheRequestNamesNone) {
  unserved_ = {{0, "/"}, {1, "/"}};

  const auto answer = answer_of(route_.start(framed(request("as it was")), kStart));

  EXPECT_EQ(answer.data().docs().docs(0).text(), "as it was");
  EXPECT_EQ(answer.routes_size(), 3);
}

TEST_F(RouteTest, MatchesTheTargetAtTheStartOfAName) {
  jina::DataRequestProto targeted = request();
  targeted.mutable_header()->set_target_executor("enc");

  const auto sent = sent_to(1, route_.start(framed(targeted), kStart));

  EXPECT_EQ(sent.data().docs().docs(0).text(), "hello");
}

TEST_F(RouteTest, ThatTargetsNobodyAnswersWithTheRequest) {
  jina::DataRequestProto targeted = request("as it was");
  targeted.mutable_header()->set_target_executor("ncode");

  EXPECT_EQ(answer_of(route_.start(framed(targeted), kStart)).data().docs().docs(0).text(),
            "as it was");
}

TEST_F(RouteTest, RefusesATargetThatIsNoRegularExpression) {
  jina::DataRequestProto targeted = request();
  targeted.mutable_header()->set_target_executor("(");

  const absl::Status status = failure_of(route_.start(framed(targeted), kStart));

  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is not a regular expression"));
}

TEST_F(RouteTest, RefusesWhatIsNoRequest) {
  EXPECT_EQ(failure_of(route_.start(wire::frame("nonsense"), kStart)).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(RouteTest, BlamesAnExecutorThatAnswersNonsenseByName) {
  route_.start(framed(request()), kStart);

  const absl::Status status = failure_of(route_.on_answer(wire::frame("nonsense"), kStart));

  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("executor \"normalize\""));
}

TEST_F(RouteTest, MergesARequestThatCameInPieces) {
  jina::DataRequestProto more;
  more.mutable_data()->mutable_docs()->add_docs()->set_text("world");

  const auto sent = sent_to(
      0,
      route_.start(wire::frame(request().SerializeAsString() + more.SerializeAsString()), kStart));

  EXPECT_EQ(sent.data().docs().docs_size(), 2);
}

TEST_F(RouteTest, IgnoresAStatusThatTheRequestBrings) {
  jina::DataRequestProto failed = request();
  failed.mutable_header()->mutable_status()->set_code(jina::StatusProto::ERROR);
  unserved_ = {{0, "/"}, {1, "/"}};

  EXPECT_FALSE(answer_of(route_.start(framed(failed), kStart)).header().has_status());
}

TEST_F(RouteTest, TellsTheCallersOwnTimeOut) {
  jina::DataRequestProto hurried = request();
  hurried.mutable_header()->set_timeout(1500);

  route_.start(framed(hurried), kStart);

  EXPECT_EQ(route_.timeout_ms(), 1500u);
}

TEST(Chain, IsTheOrderOfNeedsAndNotOfTheFile) {
  core::FlowConfig config;
  config.executors.resize(3);
  config.executors[0].name = "last";
  config.executors[0].needs = {"middle"};
  config.executors[1].name = "first";
  config.executors[2].name = "middle";
  config.executors[2].needs = {"first"};

  std::vector<std::string> names;
  for (const auto* executor : chain(config)) names.push_back(executor->name);

  EXPECT_EQ(names, (std::vector<std::string>{"first", "middle", "last"}));
}

}  // namespace
}  // namespace flow::gateway
