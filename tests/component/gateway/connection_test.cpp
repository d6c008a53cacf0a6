// SPDX-License-Identifier: Apache-2.0
// How connections end, with real sockets.
#include "gateway/net/connection.hpp"

#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "core/status.hpp"
#include "core/unique_fd.hpp"
#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

class SilentSession final : public Session {
 public:
  explicit SilentSession(int& ends) : ends_(ends) {}

 private:
  absl::Status receive(std::string_view) override { return absl::OkStatus(); }
  void produce(std::string&, std::size_t) override {}
  bool finished() const override { return false; }
  void drain() override {}
  absl::Status sweep(Clock::time_point) override { return absl::OkStatus(); }
  void disconnected(const absl::Status&) override { ++ends_; }

  int& ends_;
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()), 0);
    peer_.reset(pair[0]);
    Socket socket(loop_.io());
    socket.assign(boost::asio::generic::stream_protocol(AF_UNIX, 0), pair[1]);
    connection_ = std::make_shared<Connection>(loop_, std::move(socket));
    connection_->start(std::make_unique<SilentSession>(session_ends_),
                       [this](const absl::Status&) { ++owner_heard_; });
  }
  void run() { loop_.io().poll(); }

  Loop loop_;
  core::UniqueFd peer_;
  int session_ends_ = 0;
  int owner_heard_ = 0;
  std::shared_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, ItsOwnerHearsOfItsEnd) {
  peer_.reset();
  run();
  run();
  EXPECT_EQ(session_ends_, 1);
  EXPECT_EQ(owner_heard_, 1);
}

// Its owner may go before it hears that the connection has ended.
TEST_F(ConnectionTest, OneThatIsAbandonedAsItClosesEndsOnceAndTellsNobody) {
  connection_->close(core::error(absl::StatusCode::kUnavailable, "over"));
  connection_->abandon();
  run();
  EXPECT_EQ(session_ends_, 1);
  EXPECT_EQ(owner_heard_, 0);
}

TEST_F(ConnectionTest, OneThatIsAbandonedHasNothingLeftToDo) {
  connection_->abandon();
  peer_.reset();
  run();
  EXPECT_EQ(session_ends_, 1);
  EXPECT_EQ(owner_heard_, 0);
}

}  // namespace
}  // namespace flow::gateway
