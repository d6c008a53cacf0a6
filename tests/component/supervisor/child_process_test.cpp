// SPDX-License-Identifier: Apache-2.0
//
// What a spawned process gets from us, and how its end reaches us.
#include "host/supervisor/child_process.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <csignal>

#include "core/status.hpp"
#include "gtest/gtest.h"
#include "support.hpp"

namespace flow::host {
namespace {

using How = ProcessExit::How;

ProcessExit wait_for(const ChildProcess& child) {
  EXPECT_TRUE(wait_readable(child.pidfd.get()));
  const auto exit = reap(child.pidfd.get());
  EXPECT_TRUE(exit);
  return exit.value_or(ProcessExit{How::Exited, -1});
}

TEST(ChildProcess, TellsTheExitStatus) {
  const auto child = spawn({{FLOW_TEST_CHILD, "exit", "3"}, {}, -1});
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(wait_for(*child), (ProcessExit{How::Exited, 3}));
}

TEST(ChildProcess, TellsTheSignalThatKilledIt) {
  const auto child = spawn({{FLOW_TEST_CHILD, "wait"}, {}, -1});
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(reap(child->pidfd.get()), std::nullopt);

  send_signal(child->pidfd.get(), SIGKILL);

  EXPECT_EQ(wait_for(*child), (ProcessExit{How::Killed, SIGKILL}));
}

TEST(ChildProcess, ASignalAfterTheEndReachesNobody) {
  const auto child = spawn({{FLOW_TEST_CHILD, "exit", "0"}, {}, -1});
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(wait_for(*child), (ProcessExit{How::Exited, 0}));
  send_signal(child->pidfd.get(), SIGKILL);
  EXPECT_EQ(reap(child->pidfd.get()), std::nullopt);
}

TEST(ChildProcess, AMissingProgramIsAnErrorThatNamesIt) {
  const auto child = spawn({{"/nowhere/flow-gateway"}, {}, -1});
  ASSERT_FALSE(child.ok());
  EXPECT_EQ(core::message(child.status()), "/nowhere/flow-gateway: No such file or directory");
}

std::string report(bool handed_over) {
  std::array<int, 2> pair{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()), 0);
  const core::UniqueFd ours(pair[0]);
  core::UniqueFd theirs(pair[1]);
  const auto child =
      spawn({{FLOW_TEST_CHILD, "report"}, {"MARK=1"}, handed_over ? theirs.get() : -1});
  EXPECT_TRUE(child.ok()) << child.status();
  const ProcessExit exit = wait_for(*child);
  if (!handed_over) return describe(exit);
  std::array<char, 4096> text{};
  const ssize_t size = ::recv(ours.get(), text.data(), text.size(), MSG_DONTWAIT);
  return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

TEST(ChildProcess, StartsClean) {
  // What a careless parent leaves to us must not go further.
  const core::UniqueFd leaked(::open("/dev/null", O_RDONLY));
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t usr1;
  sigset_t before;
  ::sigemptyset(&usr1);
  ::sigaddset(&usr1, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &usr1, &before);

  const std::string text = report(true);

  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  EXPECT_EQ(text, "fd 0;fd 1;fd 2;fd 3;stdin null;own group;MARK=1;");
}

TEST(ChildProcess, WithoutAHandedOverDescriptorThereIsNone) {
  EXPECT_EQ(report(false), "exited with status 1");  // it had nowhere to write to
}

}  // namespace
}  // namespace flow::host
