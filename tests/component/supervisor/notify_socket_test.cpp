// SPDX-License-Identifier: Apache-2.0
//
// Who says what on the notify socket: the kernel names the sender.
#include "host/supervisor/notify_socket.hpp"

#include <cstdlib>

#include "core/notify.hpp"
#include "gtest/gtest.h"
#include "host/supervisor/child_process.hpp"
#include "support.hpp"

namespace flow::host {
namespace {

// Speaks to the socket from this process.
core::Notifier notifier_to(const NotifySocket& socket) {
  ::setenv("NOTIFY_SOCKET", socket.address().c_str(), 1);
  return core::Notifier();
}

TEST(NotifySocket, AChildsMessageComesWithItsProcessId) {
  auto socket = NotifySocket::create();
  ASSERT_TRUE(socket.ok()) << socket.status();
  const auto child = spawn({{FLOW_TEST_CHILD, "wait"}, {"NOTIFY_SOCKET=" + socket->address()}, -1});
  ASSERT_TRUE(child.ok()) << child.status();

  ASSERT_TRUE(wait_readable(socket->fd()));
  const auto received = socket->receive();

  ASSERT_TRUE(received);
  EXPECT_EQ(received->sender, child->pid);
  EXPECT_EQ(received->message, (core::NotifyMessage{{"READY", "1"}, {"STATUS", "waiting"}}));
  send_signal(child->pidfd.get(), SIGKILL);
  EXPECT_TRUE(wait_readable(child->pidfd.get()));
  EXPECT_TRUE(reap(child->pidfd.get()));
}

TEST(NotifySocket, AStrangersMessageComesWithTheStrangersProcessId) {
  auto socket = NotifySocket::create();
  ASSERT_TRUE(socket.ok()) << socket.status();
  notifier_to(*socket).send({{"READY", "1"}});
  const auto received = socket->receive();
  ASSERT_TRUE(received);
  EXPECT_EQ(received->sender, ::getpid());
}

TEST(NotifySocket, WithoutAMessageItDoesNotWait) {
  auto socket = NotifySocket::create();
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_FALSE(socket->receive());
}

TEST(NotifySocket, PassesOverWhatIsNoMessageOrTooLong) {
  auto socket = NotifySocket::create();
  ASSERT_TRUE(socket.ok()) << socket.status();
  const core::Notifier notifier = notifier_to(*socket);
  notifier.send({{"no message\nat all", ""}});
  notifier.send({{"STATUS", std::string(64 << 10, 'x')}});
  notifier.send({{"READY", "1"}});

  const auto received = socket->receive();

  ASSERT_TRUE(received);
  EXPECT_TRUE(received->message.contains("READY"));
  EXPECT_FALSE(socket->receive());
}

TEST(NotifySocket, TwoHaveTwoAddresses) {
  const auto one = NotifySocket::create();
  const auto two = NotifySocket::create();
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE(one->address(), two->address());
  EXPECT_EQ(one->address().front(), '@');
}

}  // namespace
}  // namespace flow::host
