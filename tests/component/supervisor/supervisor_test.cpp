// SPDX-License-Identifier: Apache-2.0
//
// The whole supervisor with real processes, real signals and real sockets; only what it starts is a
// stand-in that behaves as it is told.
#include "host/supervisor/supervisor.hpp"

#include <csignal>
#include <memory>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "support.hpp"

namespace flow::host {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kQuick = "[supervise]\ndrain_timeout = \"200ms\"\n";

std::string executor(const std::string& name, const std::string& mode,
                     const std::string& more = {}) {
  return fmt::format(
      "[[executors]]\nname = \"{}\"\nuses = \"plug\"\nhost = \"127.0.0.1\"\n{}\n"
      "env = {{ CHILD_MODE = \"{}\" }}\n",
      name, more, mode);
}

class SupervisorTest : public ::testing::Test {
 protected:
  void start(const std::string& executors, const std::string& more = {},
             std::vector<std::string> environment = {}) {
    const std::string file = folder_.write(
        "flow.toml", more + "[gateway]\nhost = \"127.0.0.1\"\nport = 0\n" + executors);
    environment.push_back("XDG_RUNTIME_DIR=" + folder_.path());
    flow_ = std::make_unique<Program>(
        std::vector<std::string>{FLOW_TEST_HOST, file, FLOW_TEST_CHILD}, std::move(environment));
  }
  Program& flow() { return *flow_; }
  void expect_panel() {
    flow().expect("Flow is ready to serve!");
    flow().expect("╰");
  }
  pid_t expect_pid(const std::string& name) {
    return static_cast<pid_t>(std::atoi(flow().expect(name + " pid ([0-9]+)")[1].c_str()));
  }
  bool runtime_folder_is_left() {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      if (entry.is_directory()) return true;
    }
    return false;
  }

  TemporaryFolder folder_;
  std::unique_ptr<Program> flow_;
};

TEST_F(SupervisorTest, ComesUpShowsThePanelAndStopsInOrder) {
  start(executor("a", "ready") + executor("b", "ready", "needs = [\"a\"]"));
  flow().expect("waiting for a, b, gateway");
  expect_panel();

  flow().signal(SIGTERM);

  flow().expect("gateway stops");
  flow().expect("b stops");
  flow().expect("a stops");
  EXPECT_EQ(flow().wait(), 0);
  EXPECT_FALSE(runtime_folder_is_left());
}

TEST_F(SupervisorTest, AKilledExecutorComesBackOnItsPortAndTheGatewayHearsAllOfIt) {
  start(executor("a", "ready"));
  const pid_t pid = expect_pid("^a");
  const auto before = flow().expect(fmt::format("told a/0 READY pid {} at (\\S+) (\\S+):", pid));
  EXPECT_THAT(before[2], HasSubstr("/a-0.sock"));
  expect_panel();

  ::kill(pid, SIGKILL);

  flow().expect(
      fmt::format("told a/0 BACKOFF pid 0 at {} .*: process {} was killed by signal 9 "
                  "\\(SIGKILL\\) at .*Z; restart 1 of 5 at .*Z",
                  before[1], pid));
  const auto after = flow().expect("told a/0 READY pid ([0-9]+) at (\\S+)");
  EXPECT_NE(after[1], std::to_string(pid));
  EXPECT_EQ(after[2], before[1]);
  flow().expect("the Flow is ready again");
  flow().signal(SIGINT);
  EXPECT_EQ(flow().wait(), 0);
}

TEST_F(SupervisorTest, ReapsWhatItsChildrenLeaveBehind) {
  start(executor("a", "orphan"));
  const std::string orphan = "/proc/" + flow().expect("orphan pid ([0-9]+)")[1];

  // Nothing tells a third process that a zombie was reaped, so it is looked for.
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (std::filesystem::exists(orphan) && std::chrono::steady_clock::now() < until) {
    ::poll(nullptr, 0, 1);
  }

  EXPECT_FALSE(std::filesystem::exists(orphan));
  expect_panel();
  flow().signal(SIGTERM);
  EXPECT_EQ(flow().wait(), 0);
}

TEST_F(SupervisorTest, ANewGatewayHearsEverything) {
  start(executor("a", "ready") + executor("b", "ready"));
  const pid_t gateway = expect_pid("^gateway");
  expect_panel();

  ::kill(gateway, SIGKILL);

  flow().expect(fmt::format("gateway/rep-0: process {} was killed by signal 9", gateway));
  flow().expect("told a/0 READY");
  flow().expect("told b/0 READY");
  flow().signal(SIGTERM);
  EXPECT_EQ(flow().wait(), 0);
  EXPECT_THAT(flow().all_output(), HasSubstr("the Flow is ready again"));
  EXPECT_EQ(flow().all_output().find("ready to serve"),
            flow().all_output().rfind("ready to serve"));
}

TEST_F(SupervisorTest, WithoutRestartsTheFlowStaysUpAndSaysWhyItIsNotReady) {
  start(executor("a", "ready"), "[supervise]\nrestart = \"never\"\n");
  const pid_t pid = expect_pid("^a");
  expect_panel();
  ::kill(pid, SIGKILL);
  flow().expect("told a/0 FAILED pid 0 .*not restarted: restart = \"never\"");
  flow().expect("the Flow is not ready: a/0 is not ready");
  flow().signal(SIGTERM);
  EXPECT_EQ(flow().wait(), 0);
}

TEST_F(SupervisorTest, ACrashBeforeTheFlowWasReadyIsFinal) {
  start(executor("good", "ready") + executor("bad", "segv"));
  EXPECT_EQ(flow().wait(), 1);
  EXPECT_THAT(flow().all_output(),
              ::testing::ContainsRegex("error: executor \"bad\" .[^ ]*flow.toml:[0-9]+:[0-9]+.: "
                                       "its process [0-9]+ was killed by "
                                       "signal 11 .SIGSEGV. while plugin \"plug\" is in create"));
  EXPECT_THAT(flow().all_output(), Not(HasSubstr("ready to serve")));
  EXPECT_FALSE(runtime_folder_is_left());
}

TEST_F(SupervisorTest, AChildsOwnWordsAreTheError) {
  start(executor("bad", "fail"));
  EXPECT_EQ(flow().wait(), 1);
  EXPECT_THAT(flow().all_output(), HasSubstr(": create() says: no such model\n"));
}

TEST_F(SupervisorTest, ACreateThatHangsIsGivenUp) {
  start(executor("bad", "hang", "timeout_ready = \"200ms\""));
  EXPECT_EQ(flow().wait(), 1);
  EXPECT_THAT(flow().all_output(),
              HasSubstr("create() of plugin \"plug\" did not return within 200 ms"));
}

TEST_F(SupervisorTest, AChildThatIgnoresSigtermIsKilledInTheEnd) {
  start(executor("a", "stubborn"), kQuick);
  expect_panel();
  flow().signal(SIGTERM);
  flow().expect("a/rep-0: process [0-9]+ did not end within 1.2 s of SIGTERM, killing it");
  EXPECT_EQ(flow().wait(), 0);
}

TEST_F(SupervisorTest, ASecondSignalEndsEverythingAtOnce) {
  start(executor("a", "stubborn"));
  const pid_t pid = expect_pid("^a");
  const core::UniqueFd child = open_pidfd(pid);
  expect_panel();
  flow().signal(SIGTERM);
  flow().expect("gateway stops");  // now it waits for a, for half a minute
  flow().signal(SIGINT);
  EXPECT_EQ(flow().wait(), 130);
  EXPECT_TRUE(wait_readable(child.get()));
}

TEST_F(SupervisorTest, AKilledSupervisorLeavesNobodyBehind) {
  start(executor("a", "stubborn") + executor("b", "ready"));
  std::vector<core::UniqueFd> children;
  for (int i = 0; i < 3; ++i) children.push_back(open_pidfd(expect_pid("^(?:a|b|gateway)")));
  expect_panel();

  flow().signal(SIGKILL);

  EXPECT_EQ(flow().wait(), -SIGKILL);
  for (const core::UniqueFd& child : children) EXPECT_TRUE(wait_readable(child.get()));
}

TEST_F(SupervisorTest, PortsInUseAreAllNamedWithTheirPlaceBeforeAnythingStarts) {
  const auto one = reserve_port("127.0.0.1", 0);
  const auto two = reserve_port("127.0.0.1", 0);
  ASSERT_TRUE(one.ok() && two.ok());
  const auto port = [](const ReservedPort& reserved) {
    return "port = " + reserved.address.substr(reserved.address.find(':') + 1);
  };

  start(executor("a", "ready", port(*one)) + executor("b", "ready", port(*two)));

  EXPECT_EQ(flow().wait(), 1);
  const std::string& output = flow().all_output();
  EXPECT_THAT(output,
              ::testing::ContainsRegex("error: [^ ]*flow.toml:[0-9]+:[0-9]+: port [0-9]+ "
                                       "on 127.0.0.1, wanted by executor \"a\": port in use"));
  EXPECT_THAT(output, HasSubstr("on 127.0.0.1, wanted by executor \"b\": port in use"));
  EXPECT_THAT(output, Not(HasSubstr(" pid ")));
}

TEST_F(SupervisorTest, ASharedProcessServesAllItsExecutors) {
  start(executor("a", "ready", "process = \"p\"") + executor("b", "ready", "process = \"p\""));
  const pid_t pid = expect_pid("^a");
  flow().expect(fmt::format("told b/0 READY pid {}", pid));
  expect_panel();
  flow().signal(SIGTERM);
  EXPECT_EQ(flow().wait(), 0);
}

TEST_F(SupervisorTest, SpeaksTheNotifyProtocolUpwards) {
  auto above = NotifySocket::create();
  ASSERT_TRUE(above.ok()) << above.status();
  start(executor("a", "ready"), {}, {"NOTIFY_SOCKET=" + above->address(), "WATCHDOG_USEC=100000"});
  const auto hear = [&](const std::string& key) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (wait_readable(above->fd(), until)) {
      const auto received = above->receive();
      if (received && received->message.contains(key)) return received->sender;
    }
    return pid_t{0};
  };
  EXPECT_EQ(hear("WATCHDOG"), flow().pid());
  EXPECT_EQ(hear("READY"), flow().pid());
  flow().signal(SIGTERM);
  EXPECT_EQ(hear("STOPPING"), flow().pid());
  EXPECT_EQ(flow().wait(), 0);
}

}  // namespace
}  // namespace flow::host
