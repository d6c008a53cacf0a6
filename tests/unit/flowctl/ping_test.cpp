// SPDX-License-Identifier: Apache-2.0
// The rounds of ping: what is said, when it pauses, how it ends; and all of it as it was
// documented.
#include "flowctl/ping/ping.hpp"

#include <cstdlib>

#include "core/status.hpp"
#include "flowctl/timeout.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::ctl {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> texts(const std::vector<Message>& messages) {
  std::vector<std::string> result;
  for (const Message& message : messages) result.push_back(message.text);
  return result;
}

TEST(Ping, SaysWhatItAsksAndHowLongThatTook) {
  Ping ping({.url = "grpc://localhost:12345"});
  EXPECT_EQ(ping.begin_round(), Message{.text = "ping grpc://localhost:12345 at 0 round..."});
  EXPECT_THAT(ping.end_round(Ping::Answer::Good, 40ms),
              ElementsAre(Message{
                  .text = "ping grpc://localhost:12345 at 0 round takes 0 seconds (0.04s)"}));
  EXPECT_EQ(ping.begin_round().text, "ping grpc://localhost:12345 at 1 round...");
}

TEST(Ping, SaysWhenThereWasNoAnswer) {
  Ping ping({.url = "u"});
  EXPECT_THAT(ping.end_round(Ping::Answer::None, 1500ms),
              ElementsAre(Message{"warning", "not responding, retry (1/3) in 1s"},
                          Message{.text = "ping u at 0 round takes 1 second (1.50s)"}));
}

TEST(Ping, AsksThreeTimesUnlessToldOtherwise) {
  Ping ping({.url = "u"});
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(ping.finished());
    ping.end_round(Ping::Answer::Good, 1ms);
  }
  EXPECT_TRUE(ping.finished());

  Ping once({.url = "u", .attempts = 1});
  once.end_round(Ping::Answer::Good, 1ms);
  EXPECT_TRUE(once.finished());
}

TEST(Ping, TheAverageIsOfTheAnswersAlone) {
  Ping ping({.url = "u"});
  ping.end_round(Ping::Answer::Good, 20ms);
  ping.end_round(Ping::Answer::None, 3s);
  ping.end_round(Ping::Answer::Good, 28ms);
  EXPECT_THAT(ping.summary(), ElementsAre(Message{"warning", "message lost 33% (1/3)"},
                                          Message{.text = "avg. latency: 24 ms"}));
}

TEST(Ping, NothingLostIsNotSaid) {
  Ping ping({.url = "u", .attempts = 1});
  ping.end_round(Ping::Answer::Good, 1ms);
  EXPECT_THAT(texts(ping.summary()), ElementsAre("avg. latency: 1 ms"));
}

TEST(Ping, PassesWithAsManyAnswersAsAskedFor) {
  const auto passed = [](int answers, int min_successful) {
    Ping ping({.url = "u", .attempts = 3, .min_successful = min_successful});
    for (int round = 0; round < 3; ++round) {
      ping.end_round(round < answers ? Ping::Answer::Good : Ping::Answer::None, 1ms);
    }
    return ping.passed();
  };
  EXPECT_TRUE(passed(1, 1));
  EXPECT_FALSE(passed(0, 1));
  EXPECT_FALSE(passed(1, 2));
  EXPECT_TRUE(passed(2, 2));
  EXPECT_TRUE(passed(3, 3));
}

TEST(Ping, PausesAfterEachRoundButALastOneThatFailed) {
  Ping failing({.url = "u", .attempts = 2});
  failing.end_round(Ping::Answer::None, 1ms);
  EXPECT_TRUE(failing.pauses());
  failing.end_round(Ping::Answer::None, 1ms);
  EXPECT_FALSE(failing.pauses());

  Ping answered({.url = "u", .attempts = 1});
  answered.end_round(Ping::Answer::Good, 1ms);
  EXPECT_TRUE(answered.pauses());
}

TEST(DurationWords, AreThoseOfTheReference) {
  EXPECT_EQ(duration_words(0s), "0 seconds");
  EXPECT_EQ(duration_words(999ms), "0 seconds");
  EXPECT_EQ(duration_words(1s), "1 second");
  EXPECT_EQ(duration_words(62s), "1 minute and 2 seconds");
  EXPECT_EQ(duration_words(2h), "2 hours and 0 seconds");
  EXPECT_EQ(duration_words(49h), "2 days and 1 hour and 0 seconds");
}

TEST(ParseTimeout, TakesMillisecondsAndDurationsAndForever) {
  EXPECT_EQ(*parse_timeout("3000"), 3s);
  EXPECT_EQ(*parse_timeout("1"), 1ms);
  EXPECT_EQ(*parse_timeout("2m"), 2min);
  EXPECT_EQ(*parse_timeout("250ms"), 250ms);
  EXPECT_GE(*parse_timeout("-1"), 24h * 365);
}

TEST(ParseTimeout, RefusesEverythingElse) {
  for (const char* text :
       {"", "0", "0s", "-2", "-1s", "1.5", "3 s", "s", "3000000000000000000000", "400000h", "x"}) {
    const auto timeout = parse_timeout(text);
    ASSERT_FALSE(timeout.ok()) << text;
    EXPECT_THAT(std::string(core::message(timeout.status())), HasSubstr("is no time-out")) << text;
  }
}

// ---- readiness.txt ------------------------------------------------------------------------------

// Plays one `ping` with a clock of its own and gives what a terminal of 120 columns shows. The
// error lines come from the client, whose log has a last time of its own; as in the reference.
class Transcript : public testing::Test {
 protected:
  void SetUp() override { ::setenv("TZ", "UTC", 1); }

  void say(LogFormat& format, const Message& message) {
    text_ += format.lines(message, now_, {120, core::LogColour::Off});
  }

  std::string play(Ping ping, std::chrono::system_clock::time_point start,
                   const std::vector<std::chrono::milliseconds>& rounds, const Message* error) {
    now_ = start;
    for (const auto took : rounds) {
      say(ping_format_, ping.begin_round());
      now_ += took;
      if (error != nullptr) say(client_format_, *error);
      const auto answer = error == nullptr ? Ping::Answer::Good : Ping::Answer::None;
      for (const Message& message : ping.end_round(answer, took)) say(ping_format_, message);
      if (ping.pauses()) now_ += Ping::kPause;
    }
    for (const Message& message : ping.summary()) say(ping_format_, message);
    return text_;
  }

  std::chrono::system_clock::time_point now_;
  LogFormat ping_format_{"flowctl", 92877};
  LogFormat client_format_{"flowctl", 92877};
  std::string text_;
};

TEST_F(Transcript, OfAFlowThatIsUpIsTheDocumentedOne) {
  const std::chrono::system_clock::time_point start{std::chrono::seconds(1662641893)};
  EXPECT_EQ(play(Ping({.url = "grpc://localhost:12345"}), start, {44ms, 14ms, 14ms}, nullptr),
            // clang-format off
"INFO   flowctl@92877 ping grpc://localhost:12345 at 0 round...                                       [09/08/22 12:58:13]\n"
"INFO   flowctl@92877 ping grpc://localhost:12345 at 0 round takes 0 seconds (0.04s)\n"
"INFO   flowctl@92877 ping grpc://localhost:12345 at 1 round...                                       [09/08/22 12:58:14]\n"
"INFO   flowctl@92877 ping grpc://localhost:12345 at 1 round takes 0 seconds (0.01s)\n"
"INFO   flowctl@92877 ping grpc://localhost:12345 at 2 round...                                       [09/08/22 12:58:15]\n"
"INFO   flowctl@92877 ping grpc://localhost:12345 at 2 round takes 0 seconds (0.01s)\n"
"INFO   flowctl@92877 avg. latency: 24 ms                                                             [09/08/22 12:58:16]\n");
  // clang-format on
}

TEST_F(Transcript, OfAFlowThatIsDownIsTheDocumentedOneWithOurReason) {
  const Message error = {"error",
                         "Error while getting response from grpc server:",
                         {"status = UNAVAILABLE", "details = \"Connection refused\""}};
  const std::chrono::system_clock::time_point start{std::chrono::seconds(1662641940)};
  EXPECT_EQ(play(Ping({.url = "grpc://localhost:12345"}), start, {14ms, 14ms, 18ms}, &error),
            // clang-format off
"INFO   flowctl@92877 ping grpc://localhost:12345 at 0 round...                                       [09/08/22 12:59:00]\n"
"ERROR  flowctl@92877 Error while getting response from grpc server:                                  [09/08/22 12:59:00]\n"
"               status = UNAVAILABLE\n"
"               details = \"Connection refused\"\n"
"WARNI… flowctl@92877 not responding, retry (1/3) in 1s\n"
"INFO   flowctl@92877 ping grpc://localhost:12345 at 0 round takes 0 seconds (0.01s)\n"
"INFO   flowctl@92877 ping grpc://localhost:12345 at 1 round...                                       [09/08/22 12:59:01]\n"
"ERROR  flowctl@92877 Error while getting response from grpc server:                                  [09/08/22 12:59:01]\n"
"               status = UNAVAILABLE\n"
"               details = \"Connection refused\"\n"
"WARNI… flowctl@92877 not responding, retry (2/3) in 1s\n"
"INFO   flowctl@92877 ping grpc://localhost:12345 at 1 round takes 0 seconds (0.01s)\n"
"INFO   flowctl@92877 ping grpc://localhost:12345 at 2 round...                                       [09/08/22 12:59:02]\n"
"ERROR  flowctl@92877 Error while getting response from grpc server:                                  [09/08/22 12:59:02]\n"
"               status = UNAVAILABLE\n"
"               details = \"Connection refused\"\n"
"WARNI… flowctl@92877 not responding, retry (3/3) in 1s\n"
"INFO   flowctl@92877 ping grpc://localhost:12345 at 2 round takes 0 seconds (0.02s)\n"
"WARNI… flowctl@92877 message lost 100% (3/3)\n");
  // clang-format on
}

}  // namespace
}  // namespace flow::ctl
