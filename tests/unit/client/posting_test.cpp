// SPDX-License-Identifier: Apache-2.0
#include "client/src/posting.hpp"

#include <gmock/gmock.h>

#include "core/status.hpp"

namespace flow::client {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

using Answer = std::optional<absl::StatusOr<jina::DataRequestProto>>;

// A server that a test scripts: what receive() gives, by what waits.
struct Script {
  std::size_t window = 1;
  // From the requests that wait, which it may change, to what comes back.
  std::function<Answer(std::vector<jina::DataRequestProto>&)> receive;
  std::function<absl::Status(const jina::DataRequestProto&)> send = [](const auto&) {
    return absl::OkStatus();
  };
  std::vector<jina::DataRequestProto> sent;  // all of them
  std::size_t most_waiting = 0;
};

class FakeExchange : public Exchange {
 public:
  explicit FakeExchange(Script& script) : script_(script) {}
  std::size_t window() const override { return script_.window; }
  absl::Status send(const jina::DataRequestProto& request, Deadline) override {
    script_.sent.push_back(request);
    const absl::Status status = script_.send(request);
    waiting_.push_back(request);
    if (!status.ok()) waiting_.clear();
    script_.most_waiting = std::max(script_.most_waiting, waiting_.size());
    return status;
  }
  Answer receive(Deadline) override { return script_.receive(waiting_); }

 private:
  Script& script_;
  std::vector<jina::DataRequestProto> waiting_;
};

class FakeTransport : public Transport {
 public:
  explicit FakeTransport(Script& script) : script_(script) {}
  DryRunAnswer dry_run(DryRun, Deadline) override { return {}; }
  DryRunAnswer health(const std::string&, Deadline) override { return {}; }
  absl::StatusOr<std::vector<std::string>> discover(Deadline) override {
    return std::vector<std::string>();
  }
  std::unique_ptr<Exchange> open_exchange(const ExchangeOptions&) override {
    return std::make_unique<FakeExchange>(script_);
  }
  std::unique_ptr<DocumentFeed> stream_doc(const jina::SingleDocumentRequestProto&,
                                           Deadline) override {
    return nullptr;
  }

 private:
  Script& script_;
};

// Takes one of the requests that wait, and answers it with its own documents.
Answer echo(std::vector<jina::DataRequestProto>& waiting, std::size_t place = 0) {
  jina::DataRequestProto answer = waiting.at(place);
  waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(place));
  return answer;
}

Answer lose(std::vector<jina::DataRequestProto>& waiting, const absl::Status& status) {
  waiting.clear();
  return status;
}

struct Post {
  Script script;
  RetryOptions retry;
  PostOptions options{.request_size = 1};
  int documents = 3;

  std::unique_ptr<Posting> start(std::string endpoint = "/index", Json::Object parameters = {}) {
    auto line =
        std::shared_ptr<Line>(new Line{"fake://server", std::make_unique<FakeTransport>(script),
                                       retry, RetryBudget(retry.budget)});
    return std::make_unique<Posting>(
        line, std::move(endpoint),
        [this, next = 0]() mutable -> std::optional<Document> {
          if (next == documents) return std::nullopt;
          return Document::of_text(std::to_string(next++));
        },
        std::move(parameters), options);
  }

  std::vector<Response> run() {
    const auto posting = start();
    std::vector<Response> responses;
    while (auto response = posting->next()) responses.push_back(*std::move(response));
    return responses;
  }
};

std::vector<std::size_t> indices(const std::vector<Response>& responses) {
  std::vector<std::size_t> all;
  for (const Response& each : responses) all.push_back(each.index);
  return all;
}

TEST(Posting, SendsWhatWasAsked) {
  Post post;
  post.script.receive = [](auto& waiting) { return echo(waiting); };
  post.options = {.request_size = 2, .target_executor = "enc"};
  const auto posting = post.start("/search", {{"top_k", 3}});
  while (posting->next()) {
  }
  ASSERT_EQ(post.script.sent.size(), 2u);
  const jina::DataRequestProto& first = post.script.sent[0];
  EXPECT_EQ(first.header().exec_endpoint(), "/search");
  EXPECT_EQ(first.header().target_executor(), "enc");
  EXPECT_EQ(first.header().request_id().size(), 32u);
  EXPECT_EQ(first.header().timeout(), 59'999u);
  EXPECT_EQ(first.parameters().fields().at("top_k").number_value(), 3);
  EXPECT_EQ(first.data().docs().docs_size(), 2);
  EXPECT_EQ(first.data().docs().docs(0).id().size(), 32u);
}

TEST(Posting, GivesResponsesInOrderWhateverOrderTheyComeIn) {
  Post post;
  post.script.window = 10;
  post.script.receive = [](auto& waiting) { return echo(waiting, waiting.size() - 1); };
  const auto responses = post.run();
  EXPECT_THAT(indices(responses), ElementsAre(0, 1, 2));
  EXPECT_EQ(responses[2].documents.at(0).text(), "2");
}

TEST(Posting, GivesResponsesAsTheyComeIfOrderDoesNotMatter) {
  Post post;
  post.script.window = 10;
  post.options.results_in_order = false;
  post.script.receive = [](auto& waiting) { return echo(waiting, waiting.size() - 1); };
  EXPECT_THAT(indices(post.run()), ElementsAre(2, 1, 0));
}

TEST(Posting, KeepsNoMoreRequestsWaitingThanTheWindow) {
  Post post;
  post.documents = 20;
  post.script.window = 4;
  post.script.receive = [](auto& waiting) { return echo(waiting); };
  EXPECT_EQ(post.run().size(), 20u);
  EXPECT_EQ(post.script.most_waiting, 4u);
}

TEST(Posting, CountsResponsesThatWaitForTheirTurnAmongTheWindow) {
  Post post;
  post.documents = 100;
  post.script.window = 4;
  // The first is answered last of those that wait.
  post.script.receive = [](auto& waiting) { return echo(waiting, waiting.size() - 1); };
  const auto posting = post.start();
  posting->next();
  EXPECT_EQ(post.script.sent.size(), 4u);
}

TEST(Posting, GoesOnAfterARequestThatFailed) {
  Post post;
  post.script.receive = [&](auto& waiting) -> Answer {
    if (post.script.sent.size() == 2) return lose(waiting, absl::InvalidArgumentError("bad"));
    return echo(waiting);
  };
  const auto responses = post.run();
  ASSERT_THAT(indices(responses), ElementsAre(0, 1, 2));
  EXPECT_TRUE(responses[0].status.ok());
  EXPECT_EQ(responses[1].status, absl::InvalidArgumentError("fake://server: bad"));
  EXPECT_TRUE(responses[2].status.ok());
}

TEST(Posting, EndsEveryRequestThatIsLostWithTheStream) {
  Post post;
  post.script.window = 10;
  post.script.receive = [](auto& waiting) { return lose(waiting, absl::UnavailableError("gone")); };
  const auto responses = post.run();
  ASSERT_THAT(indices(responses), ElementsAre(0, 1, 2));
  for (const Response& each : responses) EXPECT_TRUE(absl::IsUnavailable(each.status));
}

TEST(Posting, EndsRequestsThatCannotBeHandedOver) {
  Post post;
  post.script.send = [](const auto&) { return absl::UnavailableError("refused"); };
  const auto responses = post.run();
  ASSERT_THAT(indices(responses), ElementsAre(0, 1, 2));
  EXPECT_TRUE(absl::IsUnavailable(responses[2].status));
}

TEST(Posting, SendsAllThatWereLostAgainInOrder) {
  Post post;
  post.script.window = 10;
  post.retry = {.attempts = 2, .first_wait = 1ns};
  int received = 0;
  post.script.receive = [&](auto& waiting) -> Answer {
    if (++received == 2) return lose(waiting, absl::UnavailableError("gone"));
    return echo(waiting);
  };
  const auto responses = post.run();
  ASSERT_THAT(indices(responses), ElementsAre(0, 1, 2));
  for (const Response& each : responses) EXPECT_TRUE(each.status.ok()) << each.status;
  ASSERT_EQ(post.script.sent.size(), 5u);
  EXPECT_EQ(post.script.sent[3].header().request_id(), post.script.sent[1].header().request_id());
  EXPECT_EQ(post.script.sent[4].header().request_id(), post.script.sent[2].header().request_id());
}

TEST(Posting, StopsSendingAgainWhenTheAttemptsAreSpent) {
  Post post;
  post.documents = 1;
  post.retry = {.attempts = 3, .first_wait = 1ns};
  post.script.receive = [](auto& waiting) { return lose(waiting, absl::UnavailableError("gone")); };
  EXPECT_TRUE(absl::IsUnavailable(post.run().at(0).status));
  EXPECT_EQ(post.script.sent.size(), 3u);
}

TEST(Posting, MakesAFailedExecutorAnErrorOfThatRequestOnly) {
  Post post;
  post.script.receive = [&](auto& waiting) {
    Answer answer = echo(waiting);
    if (post.script.sent.size() == 1) {
      auto& status = *(**answer).mutable_header()->mutable_status();
      status.set_code(jina::StatusProto::ERROR);
      status.set_description("ValueError('boom')");
      status.mutable_exception()->set_executor("Boom");
    }
    return answer;
  };
  const auto responses = post.run();
  EXPECT_THAT(std::string(core::message(responses.at(0).status)),
              HasSubstr("fake://server: executor \"Boom\": ValueError('boom')"));
  EXPECT_TRUE(responses.at(1).status.ok());
}

TEST(Posting, EndsARequestThatIsNotAnsweredInTimeAndIgnoresItsLateAnswer) {
  Post post;
  post.script.window = 2;
  post.documents = 2;
  post.options.request_timeout = 5ms;
  int received = 0;
  jina::DataRequestProto late;
  post.script.receive = [&](auto& waiting) -> Answer {
    if (++received > 1) return late;
    late = waiting.at(0);
    return std::nullopt;  // the deadline of the first
  };
  const auto posting = post.start();
  const auto first = posting->next();
  EXPECT_TRUE(absl::IsDeadlineExceeded(first->status));
  EXPECT_THAT(std::string(core::message(first->status)), HasSubstr("no answer within 0.005 s"));
  post.script.receive = [&](auto& waiting) -> Answer {
    if (++received == 3) return late;
    return echo(waiting, waiting.size() - 1);
  };
  EXPECT_TRUE(posting->next()->status.ok());
  EXPECT_FALSE(posting->next());
}

TEST(Posting, EndsEveryRequestOfASourceAfterTheTotalTimeout) {
  Post post;
  post.options.timeout = -1s;
  const auto responses = post.run();
  ASSERT_THAT(indices(responses), ElementsAre(0, 1, 2));
  for (const Response& each : responses) EXPECT_TRUE(absl::IsDeadlineExceeded(each.status));
  EXPECT_TRUE(post.script.sent.empty());
}

TEST(Posting, TakesAnAnswerWithANewIdIfOnlyOneRequestWaits) {
  Post post;
  post.script.receive = [](auto& waiting) {
    Answer answer = echo(waiting);
    (**answer).mutable_header()->set_request_id("new");
    return answer;
  };
  EXPECT_EQ(post.run().at(1).request_id, "new");
}

TEST(Posting, TrustsNoAnswerToARequestThatWasNeverSent) {
  Post post;
  post.script.window = 3;
  post.script.receive = [](auto& waiting) {
    Answer answer = echo(waiting);
    waiting.clear();
    (**answer).mutable_header()->set_request_id("whose?");
    return answer;
  };
  const auto responses = post.run();
  ASSERT_EQ(responses.size(), 3u);
  EXPECT_THAT(std::string(core::message(responses[0].status)), HasSubstr("\"whose?\""));
}

TEST(Posting, MakesDocumentsThatCannotBeSentAnErrorAndGoesOn) {
  Post post;
  post.script.receive = [](auto& waiting) { return echo(waiting); };
  auto line = std::shared_ptr<Line>(
      new Line{"fake://server", std::make_unique<FakeTransport>(post.script), {}, RetryBudget(0)});
  Posting posting(line, "/",
                  [next = 0]() mutable -> std::optional<Document> {
                    if (next == 3) return std::nullopt;
                    return Document::of_text(next++ == 1 ? "\xff" : "fine");
                  },
                  {}, {.request_size = 1});
  EXPECT_TRUE(posting.next()->status.ok());
  const auto second = posting.next();
  EXPECT_EQ(second->status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(posting.next()->status.ok());
  EXPECT_FALSE(posting.next());
}

}  // namespace
}  // namespace flow::client
