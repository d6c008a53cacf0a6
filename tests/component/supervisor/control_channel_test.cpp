// SPDX-License-Identifier: Apache-2.0
//
// The control channel on a real socket: everything is said, in bounded memory, to slow readers too.
#include "host/supervisor/control_channel.hpp"

#include <sys/socket.h>

#include <array>
#include <map>
#include <memory>

#include "boost/asio/io_context.hpp"
#include "gtest/gtest.h"
#include "support.hpp"

namespace flow::host {
namespace {

class ControlChannelTest : public ::testing::Test {
 protected:
  void open(std::size_t replicas) {
    std::array<int, 2> pair{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()), 0);
    gateway_.reset(pair[1]);
    versions_.assign(replicas, 0);
    channel_ =
        std::make_unique<ControlChannel>(loop_.get_executor(), core::UniqueFd(pair[0]), replicas,
                                         [this](std::size_t replica) { return packet(replica); });
  }
  std::string packet(std::size_t replica) const {
    // As long as a real one with a reason in it.
    return std::to_string(replica) + ":" + std::to_string(versions_[replica]) +
           std::string(300, '.');
  }
  std::optional<std::string> receive() {
    std::array<char, 1024> data{};
    const ssize_t size = ::recv(gateway_.get(), data.data(), data.size(), MSG_DONTWAIT);
    if (size <= 0) return std::nullopt;
    ++received_;
    return std::string(data.data(), static_cast<std::size_t>(size));
  }
  void turn() {
    loop_.restart();
    loop_.poll();
  }

  boost::asio::io_context loop_;
  core::UniqueFd gateway_;
  std::vector<int> versions_;
  std::unique_ptr<ControlChannel> channel_;
  int received_ = 0;
};

TEST_F(ControlChannelTest, SaysEverythingAtOnceThenEachChange) {
  open(3);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(receive(), packet(i));
  EXPECT_EQ(receive(), std::nullopt);

  versions_[1] = 1;
  channel_->changed(1);

  EXPECT_EQ(receive(), packet(1));
  EXPECT_EQ(receive(), std::nullopt);
}

TEST_F(ControlChannelTest, AGatewayThatDoesNotReadHearsTheLatestOfEachWhenItDoes) {
  constexpr std::size_t kReplicas = 2000;  // more than a socket holds
  open(kReplicas);
  for (int round = 1; round <= 50; ++round) {
    for (std::size_t i = 0; i < kReplicas; ++i) {
      versions_[i] = round;
      channel_->changed(i);
    }
    turn();
  }

  std::map<std::string, std::string> last;
  for (int idle = 0; idle < 2;) {
    turn();
    const auto text = receive();
    idle = text ? 0 : idle + 1;
    if (text) last[text->substr(0, text->find(':'))] = *text;
  }

  ASSERT_EQ(last.size(), kReplicas);
  for (std::size_t i = 0; i < kReplicas; ++i) EXPECT_EQ(last[std::to_string(i)], packet(i));
  // What the socket held when it was full, and then each once: nothing was queued besides.
  EXPECT_LT(received_, 2 * static_cast<int>(kReplicas));
}

TEST_F(ControlChannelTest, AGatewayThatIsGoneIsNoError) {
  open(2);
  gateway_.reset();
  channel_->changed(0);
  turn();
  channel_->changed(1);
}

TEST_F(ControlChannelTest, MayGoWhileItWaits) {
  open(2000);
  turn();
  // The socket becomes writable and the channel goes before the loop says so.
  while (receive()) {
  }
  channel_.reset();
  turn();
}

}  // namespace
}  // namespace flow::host
