// SPDX-License-Identifier: Apache-2.0
// When the gateway dials its executors.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/unique_fd.hpp"
#include "gateway/executors/executors.hpp"
#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

// Something that can be dialled and never says a word.
class SilentListener {
 public:
  SilentListener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_.get(), 8), 0);
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  std::uint16_t port() const { return port_; }
  bool dialled() const {
    pollfd event{socket_.get(), POLLIN, 0};
    return ::poll(&event, 1, 0) == 1;
  }

 private:
  core::UniqueFd socket_;
  std::uint16_t port_ = 0;
};

class ConnectTest : public testing::Test {
 protected:
  ConnectTest() {
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      core::ExecutorConfig executor;
      executor.name = "executor" + std::to_string(i);
      executor.host = "127.0.0.1";
      executor.port = listeners_[i].port();
      if (i > 0) executor.needs = {config_.executors.back().name};
      config_.executors.push_back(executor);
    }
  }
  flow::v1::ReplicaUpdate word(std::size_t executor, core::ReplicaState state) {
    flow::v1::ReplicaUpdate update;
    update.set_executor(config_.executors[executor].name);
    update.set_state(static_cast<flow::v1::ReplicaState>(static_cast<int>(state) + 1));
    update.set_tcp_address("127.0.0.1:" + std::to_string(listeners_[executor].port()));
    return update;
  }
  void wait(std::string_view what, const std::function<bool()>& so) {
    const Clock::time_point patience = Clock::now() + std::chrono::seconds(20);
    while (!so()) {
      ASSERT_LT(Clock::now(), patience) << "waited for " << what;
      loop_.io().restart();
      loop_.io().run_one_for(std::chrono::milliseconds(10));
    }
  }

  std::vector<SilentListener> listeners_ = std::vector<SilentListener>(3);
  Loop loop_;
  core::FlowConfig config_;
};

TEST_F(ConnectTest, AllExecutorsAreDialledThoughNoneHasAnswered) {
  Executors executors(loop_, core::make_logger("test", {.level = "off"}), config_, [] {});
  ASSERT_TRUE(executors.use_configured_addresses(config_).ok());
  wait("all to be dialled",
       [&] { return std::ranges::all_of(listeners_, &SilentListener::dialled); });
}

TEST_F(ConnectTest, AnExecutorIsDialledWhenFlowHostSaysThatItIsReadyAndNotBefore) {
  Executors executors(loop_, core::make_logger("test", {.level = "off"}), config_, [] {});
  executors.update(word(0, core::ReplicaState::Backoff));
  executors.update(word(1, core::ReplicaState::Ready));
  wait("the ready one to be dialled", [&] { return listeners_[1].dialled(); });
  EXPECT_FALSE(listeners_[0].dialled());

  // Nothing else would have it dialled: there is no delay to wait for.
  executors.update(word(0, core::ReplicaState::Ready));
  wait("it to be dialled", [&] { return listeners_[0].dialled(); });
}

}  // namespace
}  // namespace flow::gateway
