// SPDX-License-Identifier: Apache-2.0
// Protects what is known of a call that ended badly: whether its request may have run decides
// whether it may be sent again.
#include <algorithm>

#include "tests/unit/gateway/http2_support.hpp"

namespace flow::gateway {
namespace {

constexpr std::uint8_t kRefusedStream = 7;
constexpr std::uint8_t kInternalError = 2;

// Shows what its owner would see.
struct ShownCall final : ClientCall {
  using ClientCall::connection_lost;
  using ClientCall::keep_request;
  using ClientCall::never_ran;
  using ClientCall::take_request;
  void on_reply(std::string) override {}
  void on_done(const absl::Status& status) override { done.push_back(status); }
  std::vector<absl::Status> done;
};

// A client whose server is the test, byte by byte.
class ClientCallTest : public testing::Test {
 protected:
  ClientCallTest() { say(4, 0, 0, ""); }  // SETTINGS

  void start(const std::string& message = "request") {
    client_.call(call_, "/path", wire::frame(message), std::nullopt);
  }
  void send() { output_of(client_); }
  void say(std::uint8_t type, std::uint8_t flags, std::uint8_t stream, const std::string& payload) {
    std::string bytes(9, '\0');
    bytes[2] = static_cast<char>(payload.size());
    bytes[3] = static_cast<char>(type);
    bytes[4] = static_cast<char>(flags);
    bytes[8] = static_cast<char>(stream);
    EXPECT_TRUE(client_.receive(bytes + payload).ok());
  }
  void reset_stream(std::uint8_t code) {
    say(3, 0, 1, std::string("\0\0\0", 3) + static_cast<char>(code));
  }
  static std::string field(const std::string& name, const std::string& value) {
    return std::string(1, '\0') + static_cast<char>(name.size()) + name +
           static_cast<char>(value.size()) + value;
  }
  void end_with(const std::string& trailers) { say(1, 5, 1, "\x88" + trailers); }
  absl::StatusCode code() const {
    return call_.done.size() == 1 ? call_.done[0].code() : absl::StatusCode::kOk;
  }

  FakeOutput output_;
  Http2ClientSession client_{output_, "localhost", 1 << 24, [] {}};
  ShownCall call_;
};

TEST_F(ClientCallTest, AConnectionThatBreaksBeforeItHasTheRequestHasNotRunIt) {
  start();
  client_.disconnected(core::error(absl::StatusCode::kFailedPrecondition, "Broken pipe"));
  EXPECT_EQ(code(), absl::StatusCode::kUnavailable) << "whatever the system calls it";
  EXPECT_TRUE(call_.never_ran());
  EXPECT_TRUE(call_.connection_lost());
  EXPECT_EQ(call_.take_request(), wire::frame("request"));
}

TEST_F(ClientCallTest, NorOneThatHasOnlyAPartOfIt) {
  start(std::string(100'000, 'x'));  // more than HTTP/2's first window
  send();
  client_.disconnected(core::error(absl::StatusCode::kUnavailable, "gone"));
  EXPECT_TRUE(call_.never_ran());
  EXPECT_EQ(call_.take_request().size(), 100'005u);
}

TEST_F(ClientCallTest, OneThatBreaksLaterMayHave) {
  start();
  send();
  client_.disconnected(core::error(absl::StatusCode::kUnavailable, "gone"));
  EXPECT_EQ(code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(call_.never_ran());
  EXPECT_TRUE(call_.connection_lost());
  EXPECT_EQ(call_.take_request(), wire::frame("request"));
}

TEST_F(ClientCallTest, ARefusedStreamNeverRan) {
  start();
  send();
  reset_stream(kRefusedStream);
  EXPECT_EQ(code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(call_.never_ran());
  EXPECT_FALSE(call_.connection_lost());
}

TEST_F(ClientCallTest, AnyOtherEndOfTheStreamSaysNothing) {
  start();
  send();
  reset_stream(kInternalError);
  EXPECT_EQ(code(), absl::StatusCode::kInternal);
  EXPECT_FALSE(call_.never_ran());
}

TEST_F(ClientCallTest, WhatIsBeyondTheLastStreamOfAGoodbyeNeverRan) {
  start();
  send();
  say(7, 0, 0, std::string(8, '\0'));  // GOAWAY, the last stream is 0
  EXPECT_EQ(code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(call_.never_ran());
  EXPECT_FALSE(client_.takes_calls());
}

TEST_F(ClientCallTest, WhatWaitsToBeSentAtAGoodbyeNeverRan) {
  start();
  say(7, 0, 0, std::string("\0\0\0\1\0\0\0\0", 8));
  send();
  EXPECT_EQ(code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(call_.never_ran());
}

TEST_F(ClientCallTest, AnExecutorMaySayThatItDidNotStart) {
  start();
  send();
  end_with(field("grpc-status", "8") + field("flow-not-started", "true"));
  EXPECT_EQ(code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(call_.never_ran());
}

TEST_F(ClientCallTest, WithoutThatWordItMayHave) {
  start();
  send();
  end_with(field("grpc-status", "14"));
  EXPECT_EQ(code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(call_.never_ran());
  EXPECT_FALSE(call_.connection_lost());
}

TEST_F(ClientCallTest, CallsOfABrokenConnectionEndInTheOrderInWhichTheyCame) {
  struct Numbered final : ClientCall {
    void on_reply(std::string) override {}
    void on_done(const absl::Status&) override { order->push_back(number); }
    std::size_t number = 0;
    std::vector<std::size_t>* order = nullptr;
  };
  std::vector<std::size_t> order;
  std::vector<Numbered> calls(20);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Numbered& call = calls[(7 * i) % calls.size()];  // wherever in memory they are
    call.number = i;
    call.order = &order;
    client_.call(call, "/path", wire::frame("request"), std::nullopt);
  }
  client_.disconnected(core::error(absl::StatusCode::kUnavailable, "gone"));
  EXPECT_EQ(order.size(), calls.size());
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST_F(ClientCallTest, ANewCallKnowsNothingOfTheLastOne) {
  start();
  send();
  end_with(field("grpc-status", "14") + field("flow-not-started", "true"));
  start();
  send();
  say(1, 5, 3, "\x88" + field("grpc-status", "14"));
  ASSERT_EQ(call_.done.size(), 2u);
  EXPECT_FALSE(call_.never_ran());
}

TEST_F(ClientCallTest, AConnectionThatIsGoneTakesNoCalls) {
  client_.disconnected(core::error(absl::StatusCode::kUnavailable, "gone"));
  EXPECT_FALSE(client_.takes_calls());
  start();
  EXPECT_EQ(code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(call_.never_ran());
  EXPECT_EQ(call_.take_request(), wire::frame("request"));
}

TEST_F(ClientCallTest, ARequestThatIsNotKeptIsFreedWhenItIsSent) {
  call_.keep_request(false);
  start();
  send();
  EXPECT_EQ(call_.take_request(), "");
}

TEST_F(ClientCallTest, OrAsSoonAsNobodyWantsItAnyMore) {
  start();
  send();
  call_.keep_request(false);
  EXPECT_EQ(call_.take_request(), "");
}

}  // namespace
}  // namespace flow::gateway
