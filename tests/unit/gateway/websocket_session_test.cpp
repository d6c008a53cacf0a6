// SPDX-License-Identifier: Apache-2.0
// WebSocket frames as bytes in and bytes out.
#include "gateway/websocket/server_session.hpp"

#include <random>

#include "core/limits.hpp"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/fake_front.hpp"
#include "tests/unit/gateway/fake_websockets.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

namespace limits = core::limits;

constexpr std::uint8_t kText = 0x81, kBinary = 0x82, kContinued = 0x80, kClose = 0x88, kPing = 0x89,
                       kPong = 0x8a;
constexpr std::uint8_t kMoreText = 0x01, kMoreBinary = 0x02, kMoreContinued = 0x00;
constexpr std::size_t kMessageMax = 100'000;

class WebSocketTest : public testing::Test {
 protected:
  explicit WebSocketTest(std::string path = "/echo") : path_(std::move(path)) {}

  std::unique_ptr<WebSocketServerSession> open(std::string_view path) {
    return std::make_unique<WebSocketServerSession>(
        loop_, front_, output_,
        WebSocketUpgrade{.path = std::string(path), .sub_protocol = {}, .output = {}, .input = {}});
  }

  std::string say(std::string_view bytes) {
    last_ = session_->receive(bytes);
    return output_of(*session_);
  }

  // What a session of its own answers to these bytes, and whether it lets the connection live.
  std::string answer_to(std::string_view bytes) {
    const auto session = open("/echo");
    last_ = session->receive(bytes);
    return output_of(*session);
  }

  const std::string path_;
  Loop loop_;
  FakeFront fake_;
  FakeWebSockets websockets_;
  Front front_{fake_, fake_, kMessageMax, &websockets_};
  FakeOutput output_;
  std::unique_ptr<WebSocketServerSession> session_ = open(path_);
  absl::Status last_;
};

class KeepingWebSocketTest : public WebSocketTest {
 protected:
  KeepingWebSocketTest() : WebSocketTest("/keep") {}
};

// ---- messages -----------------------------------------------------------------------------------

TEST_F(WebSocketTest, AnswersTextWithTextAndBinaryWithBinary) {
  EXPECT_EQ(say(masked(kText, "grüße")), plain(kText, "grüße"));
  EXPECT_EQ(say(masked(kBinary, "\0\xff"s)), plain(kBinary, "\0\xff"s));
  EXPECT_EQ(say(masked(kText, "")), plain(kText, ""));
  EXPECT_TRUE(last_.ok());
}

TEST_F(WebSocketTest, TakesAndGivesEveryLength) {
  for (const std::size_t size : {0u, 1u, 125u, 126u, 4095u, 4096u, 65535u, 65536u, 100'000u}) {
    const std::string payload(size, 'x');
    EXPECT_EQ(say(masked(kBinary, payload)), plain(kBinary, payload)) << size;
  }
}

TEST_F(WebSocketTest, TakesAByteAtATime) {
  std::string answer;
  const std::string bytes = masked(kMoreText, "he") + masked(kPing, "?") +
                            masked(kContinued, "llo") + masked(kBinary, std::string(300, 'x'));
  for (const char byte : bytes) answer += say({&byte, 1});

  EXPECT_EQ(answer,
            plain(kPong, "?") + plain(kText, "hello") + plain(kBinary, std::string(300, 'x')));
}

TEST_F(WebSocketTest, PutsFragmentsTogether) {
  EXPECT_EQ(say(masked(kMoreText, "a") + masked(kMoreContinued, "") + masked(kMoreContinued, "b") +
                masked(kContinued, "c")),
            plain(kText, "abc"));
  EXPECT_EQ(say(masked(kMoreBinary, "") + masked(kContinued, "")), plain(kBinary, ""));
}

TEST_F(WebSocketTest, TakesACharacterThatIsCutBetweenFragments) {
  EXPECT_EQ(say(masked(kMoreText, "\xc3") + masked(kContinued, "\xbc")), plain(kText, "ü"));
}

TEST_F(WebSocketTest, TakesControlFramesBetweenFragments) {
  EXPECT_EQ(say(masked(kMoreText, "a") + masked(kPing, "1") + masked(kPong, "2") +
                masked(kContinued, "b")),
            plain(kPong, "1") + plain(kText, "ab"));
}

TEST_F(WebSocketTest, AnswersSeveralMessagesAtOnceInOrder) {
  EXPECT_EQ(say(masked(kText, "1") + masked(kText, "2") + masked(kText, "3")),
            plain(kText, "1") + plain(kText, "2") + plain(kText, "3"));
}

// ---- control frames -----------------------------------------------------------------------------

TEST_F(WebSocketTest, AnswersPingsOfEveryLength) {
  EXPECT_EQ(say(masked(kPing, "")), plain(kPong, ""));
  const std::string longest(125, 'p');
  EXPECT_EQ(say(masked(kPing, longest)), plain(kPong, longest));
}

TEST_F(WebSocketTest, AnswersOnlyTheLastOfManyPings) {
  std::string pings;
  for (int i = 0; i < 1000; ++i) pings += masked(kPing, fmt::format("{}", i));

  EXPECT_EQ(say(pings), plain(kPong, "999"));
}

TEST_F(WebSocketTest, IgnoresPongsThatNobodyAskedFor) {
  EXPECT_EQ(say(masked(kPong, "x") + masked(kText, "y")), plain(kText, "y"));
}

TEST_F(WebSocketTest, AnswersACloseWithItsCodeAndEnds) {
  EXPECT_EQ(say(masked(kClose, closing(1000, "bye"))), plain(kClose, closing(1000)));
  EXPECT_TRUE(session_->finished());
  EXPECT_TRUE(last_.ok());
  EXPECT_EQ(websockets_.open_sockets, 0);
}

TEST_F(WebSocketTest, AnswersACloseWithoutACode) {
  EXPECT_EQ(say(masked(kClose, "")), plain(kClose, ""));
  EXPECT_TRUE(session_->finished());
}

TEST_F(WebSocketTest, TakesEveryCloseCodeThatIsForTheWire) {
  for (const unsigned code : {1000u, 1001u, 1002u, 1003u, 1007u, 1011u, 1014u, 3000u, 4999u}) {
    EXPECT_EQ(answer_to(masked(kClose, closing(code))), plain(kClose, closing(code))) << code;
  }
}

TEST_F(WebSocketTest, RefusesCloseCodesThatAreNot) {
  for (const unsigned code : {0u, 1u, 999u, 1004u, 1005u, 1006u, 1015u, 2999u, 5000u, 65535u}) {
    EXPECT_THAT(answer_to(masked(kClose, closing(code))), StartsWith("\x88"s)) << code;
    EXPECT_FALSE(last_.ok()) << code;
  }
  EXPECT_EQ(answer_to(masked(kClose, "\x03")).substr(2, 2), closing(1002)) << "half a code";
}

TEST_F(WebSocketTest, RefusesACloseReasonThatIsNotUtf8HoweverItIsCut) {
  for (const std::size_t part : {1u, 2u, 3u, 7u, 100u}) {
    const auto session = open("/echo");
    const std::string good = masked(kClose, closing(1000, "größe"));
    for (std::size_t i = 0; i < good.size(); i += part)
      (void)session->receive(good.substr(i, part));
    EXPECT_EQ(output_of(*session), plain(kClose, closing(1000))) << part;

    const auto other = open("/echo");
    const std::string bad = masked(kClose, closing(1000, "gr\xc3"));
    for (std::size_t i = 0; i < bad.size(); i += part) (void)other->receive(bad.substr(i, part));
    EXPECT_EQ(output_of(*other).substr(2, 2), closing(1007)) << part;
  }
}

TEST_F(WebSocketTest, TakesNothingAfterAClose) {
  EXPECT_EQ(say(masked(kClose, closing(1000)) + masked(kText, "late") + "garbage"),
            plain(kClose, closing(1000)));
  EXPECT_EQ(say(masked(kText, "later")), "");
  EXPECT_THAT(websockets_.messages, IsEmpty());
}

// ---- what breaks the rules ----------------------------------------------------------------------

TEST_F(WebSocketTest, ClosesWith1002OnWhatIsNotTheProtocol) {
  const std::string huge = "\xff\xff\xff\xff\xff\xff\xff\xff";
  const std::pair<const char*, std::string> cases[] = {
      {"not masked", plain(kText, "x")},
      {"not masked and empty", plain(kText, "")},
      {"reserved bit 1", masked(0xc1, "x")},
      {"reserved bit 2", masked(0xa1, "x")},
      {"reserved bit 3", masked(0x91, "x")},
      {"opcode 3", masked(0x83, "x")},
      {"opcode 7", masked(0x87, "x")},
      {"opcode 11", masked(0x8b, "x")},
      {"opcode 15", masked(0x8f, "x")},
      {"continues nothing", masked(kContinued, "x")},
      {"continues nothing, more to come", masked(kMoreContinued, "x")},
      {"continues a whole message", masked(kText, "") + masked(kContinued, "x")},
      {"a message in a message", masked(kMoreText, "x") + masked(kText, "y")},
      {"another opcode in a message", masked(kMoreText, "x") + masked(kMoreBinary, "y")},
      {"a ping in pieces", masked(0x09, "x")},
      {"a ping that is too long", masked(kPing, std::string(126, 'x'))},
      {"a close that is too long", masked(kClose, closing(1000, std::string(124, 'x')))},
      {"a length that is not the shortest", masked(kText, "x", Length::TwoBytes)},
      {"a long length that is not the shortest",
       masked(kText, std::string(65535, 'x'), Length::EightBytes)},
      {"a length of 2^64-1", "\x82\xff"s + huge + "mask" + "x"},
  };
  for (const auto& [name, bytes] : cases) {
    const std::string answer = answer_to(bytes);
    ASSERT_THAT(answer, StartsWith("\x88"s)) << name;
    EXPECT_EQ(answer.substr(2, 2), closing(1002)) << name;
    EXPECT_FALSE(last_.ok()) << name;
  }
}

TEST_F(WebSocketTest, ClosesWith1002OnGarbage) {
  EXPECT_EQ(answer_to("GET / HTTP/1.1\r\n\r\n").substr(2, 2), closing(1002));
}

TEST_F(WebSocketTest, ClosesWith1007OnTextThatIsNotUtf8) {
  for (const char* text : {"\xff", "\xc3", "a\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_EQ(answer_to(masked(kText, text)).substr(2, 2), closing(1007)) << text;
    EXPECT_EQ(answer_to(masked(kMoreText, text) + masked(kContinued, "")).substr(2, 2),
              closing(1007));
    EXPECT_EQ(answer_to(masked(kBinary, text)), plain(kBinary, text));
  }
}

TEST_F(WebSocketTest, ClosesWith1009OnAMessageBeyondTheLimitBeforeItIsThere) {
  const std::string big = masked(kBinary, std::string(kMessageMax + 1, 'x'));
  EXPECT_EQ(answer_to(big.substr(0, 20)).substr(2, 2), closing(1009));
  EXPECT_FALSE(last_.ok());
}

TEST_F(WebSocketTest, ClosesWith1009OnFragmentsThatTogetherAreBeyondTheLimit) {
  std::string bytes = masked(kMoreBinary, "x");
  for (int i = 0; i < 10; ++i) bytes += masked(kMoreContinued, std::string(kMessageMax / 10, 'x'));

  EXPECT_EQ(answer_to(bytes).substr(2, 2), closing(1009));
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(WebSocketTest, SendsNoAnswersThatWaitWhenTheRulesAreBroken) {
  say("");
  last_ = session_->receive(masked(kText, "a") + masked(kText, "b") + plain(kText, "c"));

  EXPECT_FALSE(last_.ok());
  EXPECT_THAT(output_of(*session_), StartsWith("\x88"s));
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(WebSocketTest, TakesNothingAfterTheRulesWereBroken) {
  say(plain(kText, "x"));
  EXPECT_EQ(say(masked(kText, "y")), "");
  EXPECT_FALSE(last_.ok());
}

// ---- what a handler says ------------------------------------------------------------------------

TEST_F(WebSocketTest, AHandlerMaySpeakAndCloseBeforeItsClientDoes) {
  const auto session = open("/bye");

  EXPECT_EQ(output_of(*session), plain(kText, "bye") + plain(kClose, closing(1000)));
  EXPECT_FALSE(session->finished()) << "the client's close frame is still to come";
  (void)session->receive(masked(kBinary, "") + masked(kClose, closing(1000)));
  EXPECT_TRUE(session->finished());
}

TEST_F(WebSocketTest, CutsALongReasonBetweenTwoCharacters) {
  std::string reason(119, 'x');
  reason += "üüüüü";
  websockets_.last->close(CloseCode::InternalError, reason);

  EXPECT_EQ(output_of(*session_), plain(kClose, closing(1011, std::string(119, 'x') + "…")));
}

TEST_F(WebSocketTest, KeepsAReasonThatJustFits) {
  const std::string reason(123, 'x');
  websockets_.last->close(CloseCode::InternalError, reason);

  EXPECT_EQ(output_of(*session_), plain(kClose, closing(1011, reason)));
}

TEST_F(WebSocketTest, SendsWhatWasSaidBeforeTheCloseAndNothingAfter) {
  websockets_.last->send({.kind = WebSocketKind::Text, .payload = "before"});
  websockets_.last->close(CloseCode::Normal, "");
  websockets_.last->send({.kind = WebSocketKind::Text, .payload = "after"});
  websockets_.last->close(CloseCode::InternalError, "again");

  EXPECT_EQ(output_of(*session_), plain(kText, "before") + plain(kClose, closing(1000)));
}

TEST_F(WebSocketTest, ReadsOnForTheClientsCloseFrameAlone) {
  websockets_.last->close(CloseCode::Normal, "");
  output_of(*session_);

  EXPECT_EQ(say(masked(kText, "x") + masked(kMoreBinary, std::string(kMessageMax, 'x')) +
                masked(kContinued, "\xff")),
            "");
  EXPECT_FALSE(session_->finished());
  say(masked(kClose, closing(1000)));
  EXPECT_TRUE(session_->finished());
  EXPECT_THAT(websockets_.messages, IsEmpty());
}

TEST_F(WebSocketTest, DoesNotWaitForEverForTheClientsCloseFrame) {
  websockets_.last->close(CloseCode::Normal, "");
  output_of(*session_);

  EXPECT_TRUE(session_->sweep(Clock::now() + 1s).ok());
  EXPECT_FALSE(session_->finished());
  EXPECT_TRUE(session_->sweep(Clock::now() + limits::kWebSocketCloseTimeout + 1s).ok());
  EXPECT_TRUE(session_->finished());
}

TEST_F(WebSocketTest, WritesALongMessageInPiecesAndAPongAfterIt) {
  const std::string payload(kMessageMax, 'x');
  last_ = session_->receive(masked(kBinary, payload));
  std::string first;
  session_->produce(first, 1000);
  EXPECT_LT(first.size(), 1020u);
  last_ = session_->receive(masked(kPing, "?"));

  EXPECT_EQ(first + output_of(*session_), plain(kBinary, payload) + plain(kPong, "?"));
}

TEST_F(WebSocketTest, AClientThatLeavesInTheMiddleOfAnAnswerGetsTheRestOfItsFrame) {
  const std::string payload(10'000, 'x');
  last_ = session_->receive(masked(kBinary, payload) + masked(kText, "second"));
  std::string first;
  session_->produce(first, 1000);
  last_ = session_->receive(masked(kClose, closing(1001)));

  EXPECT_EQ(first + output_of(*session_), plain(kBinary, payload) + plain(kClose, closing(1001)));
  EXPECT_EQ(loop_.budget().used(), 0u);
}

// ---- bounds -------------------------------------------------------------------------------------

TEST_F(KeepingWebSocketTest, HoldsTheClientBackWhileItsMessagesAreNotWanted) {
  websockets_.messages_max = 1;
  say(masked(kText, "1") + masked(kText, "2") + masked(kText, "3"));
  EXPECT_THAT(websockets_.messages, SizeIs(1));

  say(std::string(100'000, 'x'));
  EXPECT_TRUE(session_->paused());
}

TEST_F(KeepingWebSocketTest, AsksItsHandlerOnlyOnceThereIsAMessageForIt) {
  websockets_.messages_max = 0;
  EXPECT_EQ(say(masked(kPing, "?")), plain(kPong, "?"));
  EXPECT_FALSE(session_->paused());
  say(masked(kText, "1"));
  EXPECT_TRUE(session_->paused());

  websockets_.messages_max = 1;
  websockets_.last->input_wanted();
  EXPECT_THAT(websockets_.messages, SizeIs(1)) << "a turn is used within the call that gives it";
}

TEST_F(KeepingWebSocketTest, GoesOnWhereItStoppedWhenMessagesAreWantedAgain) {
  websockets_.messages_max = 1;
  std::string bytes;
  for (int i = 0; i < 3000; ++i) bytes += masked(kText, fmt::format("{}", i));
  say(bytes);
  ASSERT_TRUE(session_->paused());
  websockets_.messages_max = SIZE_MAX;
  const int signals = output_.signals;
  websockets_.last->input_wanted();
  EXPECT_GT(output_.signals, signals);
  output_of(*session_);

  EXPECT_FALSE(session_->paused());
  ASSERT_THAT(websockets_.messages, SizeIs(3000));
  for (std::size_t i = 0; i < 3000; ++i) {
    ASSERT_EQ(websockets_.messages[i].payload, fmt::format("{}", i));
  }
}

TEST_F(WebSocketTest, HoldsAClientBackThatDoesNotReadItsAnswers) {
  const std::string message = masked(kBinary, std::string(kMessageMax, 'x'));
  for (int i = 0; i < 1000 && !session_->paused(); ++i) last_ = session_->receive(message);

  EXPECT_TRUE(session_->paused());
  EXPECT_LT(loop_.budget().used(),
            static_cast<std::uint64_t>(limits::kStreamWindow) + 2 * kMessageMax);
  output_of(*session_);
  EXPECT_FALSE(session_->paused());
  EXPECT_EQ(loop_.budget().used(), 0u);
}

TEST_F(WebSocketTest, ClosesWith1013WhenTheGatewayHoldsAsMuchAsItMay) {
  BufferBudget::Lease others;
  ASSERT_TRUE(others.grow(loop_.budget(), loop_.budget().left() - 1000));

  EXPECT_EQ(say(masked(kBinary, std::string(5000, 'x'))).substr(2, 2), closing(1013));
  EXPECT_FALSE(last_.ok());
}

TEST_F(WebSocketTest, GivesBackWhatItHeldWhenTheConnectionIsLost) {
  last_ = session_->receive(masked(kText, "x") + masked(kMoreText, "half"));
  EXPECT_GT(loop_.budget().used(), 0u);
  session_->disconnected(absl::OkStatus());
  EXPECT_EQ(websockets_.open_sockets, 0);
  session_.reset();

  EXPECT_EQ(loop_.budget().used(), 0u);
}

// ---- time ---------------------------------------------------------------------------------------

TEST_F(WebSocketTest, PingsAClientThatSaysNothing) {
  EXPECT_TRUE(session_->sweep(Clock::now() + 1s).ok());
  EXPECT_EQ(output_of(*session_), "");
  EXPECT_TRUE(session_->sweep(Clock::now() + limits::kWebSocketPingInterval + 1s).ok());
  EXPECT_EQ(output_of(*session_), plain(kPing, ""));
  EXPECT_TRUE(session_->sweep(Clock::now() + limits::kWebSocketPingInterval + 2s).ok());
  EXPECT_EQ(output_of(*session_), "") << "once each interval";
}

TEST_F(WebSocketTest, HangsUpOnAClientThatDoesNotAnswerPings) {
  EXPECT_TRUE(session_->sweep(Clock::now() + limits::kWebSocketSilence - 1s).ok());
  EXPECT_FALSE(session_->sweep(Clock::now() + limits::kWebSocketSilence + 1s).ok());
}

TEST_F(KeepingWebSocketTest, DoesNotTakeAClientThatIsHeldBackForSilent) {
  websockets_.messages_max = 0;
  say(masked(kText, std::string(50'000, 'x')));
  ASSERT_TRUE(session_->paused());

  EXPECT_TRUE(session_->sweep(Clock::now() + limits::kWebSocketSilence + 1s).ok());
}

TEST_F(WebSocketTest, ClosesWith1008WhenTheRestOfAMessageDoesNotCome) {
  say(masked(kMoreText, "half"));
  EXPECT_TRUE(session_->sweep(Clock::now() + limits::kStallTimeout - 1s).ok());
  EXPECT_EQ(output_of(*session_), plain(kPing, ""));
  EXPECT_FALSE(session_->sweep(Clock::now() + limits::kStallTimeout + 1s).ok());

  EXPECT_EQ(output_of(*session_).substr(2, 2), closing(1008));
}

TEST_F(WebSocketTest, ADrainIsTheHandlersToPerform) {
  session_->drain();

  EXPECT_EQ(output_of(*session_), plain(kClose, closing(1001, "stopping")));
  session_->drain();
  EXPECT_EQ(output_of(*session_), "");
}

// ---- anything -----------------------------------------------------------------------------------

TEST_F(WebSocketTest, SurvivesMutation) {
  const std::string good = masked(kMoreText, "grüße") + masked(kPing, "ping") +
                           masked(kContinued, std::string(200, 'x')) +
                           masked(kBinary, std::string(70'000, 'y')) + masked(kText, "{}") +
                           masked(kClose, closing(1000, "bye"));
  std::mt19937 random(5);
  for (int round = 0; round < 3'000; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 3; ++i) {
      // Mostly where the headers of the first frames are.
      const std::size_t range = random() % 2 == 0 ? 40 : bytes.size();
      bytes[random() % range] = static_cast<char>(random());
    }
    const auto session = open(random() % 2 == 0 ? "/echo" : "/keep");
    const std::size_t cut = random() % bytes.size();
    if (session->receive(bytes.substr(0, cut)).ok()) {
      if (random() % 2 == 0) output_of(*session);
      (void)session->receive(bytes.substr(cut));
    }
    output_of(*session);
    websockets_.messages.clear();
  }
  EXPECT_EQ(websockets_.open_sockets, 1);
  EXPECT_EQ(loop_.budget().used(), 0u);
}

}  // namespace
}  // namespace flow::gateway
