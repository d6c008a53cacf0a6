// SPDX-License-Identifier: Apache-2.0
//
// A whole executor process, from its first word to the supervisor to its exit status.
#include "host/executor/serve.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>

#include "core/config.hpp"
#include "core/notify.hpp"
#include "core/unique_fd.hpp"
#include "grpcpp/grpcpp.h"
#include "jina.grpc.pb.h"

namespace flow::host {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int kPatienceMs = 20'000;

// serve_executors() in a child, with this process as its supervisor.
class Child {
 public:
  explicit Child(const std::string& executors, const std::string& drain_timeout = "300ms") {
    static int serial = 0;
    const auto path =
        "/tmp/flow-serve-test-" + std::to_string(::getpid()) + "-" + std::to_string(++serial);
    ::unlink(path.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    notify_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(notify_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    log_.reset(pipe[0]);

    pid_ = ::fork();
    if (pid_ == 0) {
      log_.reset();
      ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
      ::dup2(pipe[1], STDERR_FILENO);
      ::_exit(serve(executors, drain_timeout));
    }
    ::close(pipe[1]);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    for (const auto pid : {pid_, client_}) {
      if (pid <= 0) continue;
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }

  // Messages up to the first that has this key; that one's value.
  std::string wait_for(std::string_view key) {
    pollfd event{notify_.get(), POLLIN, 0};
    while (::poll(&event, 1, kPatienceMs) > 0) {
      std::array<char, 65536> buffer{};
      const auto size = ::recv(notify_.get(), buffer.data(), buffer.size(), 0);
      if (size < 0) break;
      const auto message =
          core::parse_notify(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
      if (!message.ok()) break;
      last_ = *message;
      if (const auto found = message->find(key); found != message->end()) return found->second;
    }
    return "(nothing)";
  }
  // Starts a client in a process of its own and waits until its request has arrived.
  void start_client(const std::string& name) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    const core::UniqueFd reader(pipe[0]);
    core::UniqueFd writer(pipe[1]);
    client_ = ::fork();
    if (client_ == 0) post(name, writer.get());
    writer.reset();
    char byte = 0;
    ASSERT_EQ(::read(reader.get(), &byte, 1), 1);
  }
  const core::NotifyMessage& last() const { return last_; }
  void stop_reading_its_log() { log_.reset(); }
  void signal(int number) const { ::kill(pid_, number); }
  // The exit status; the log is complete then.
  int wait() {
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = ::read(log_.get(), buffer.data(), buffer.size())) > 0;) {
      text_.append(buffer.data(), static_cast<std::size_t>(got));
    }
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  const std::string& log() const { return text_; }

 private:
  static std::string unix_path(const std::string& name) {
    return "/tmp/flow-serve-test-" + std::to_string(::getppid()) + "-" + name + ".sock";
  }
  // A request that is not answered, and one behind it on the same connection that is.
  [[noreturn]] static void post(const std::string& name, int arrived) {
    const auto stub = jina::JinaSingleDataRequestRPC::NewStub(
        grpc::CreateChannel("unix:" + unix_path(name), grpc::InsecureChannelCredentials()));
    grpc::ClientContext hanging, context;
    jina::DataRequestProto message, probe, answer;
    probe.mutable_header()->set_exec_endpoint("_jina_dry_run_");
    stub->async()->process_single_data(&hanging, &message, &message, [](const grpc::Status&) {});
    if (!stub->process_single_data(&context, probe, &answer).ok()) ::_exit(1);
    if (::write(arrived, "!", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  static int serve(const std::string& executors, const std::string& drain_timeout) {
    auto config = core::parse_config("[log]\nlevel = \"debug\"\n[supervise]\ndrain_timeout = \"" +
                                         drain_timeout + "\"\n" + executors,
                                     "/tmp/flow.toml", core::process_environment());
    if (!config.ok()) {
      std::fputs(std::string(config.status().message()).c_str(), stderr);
      return 99;
    }
    config->plugins = {FLOW_TEST_PLUGINS, FLOW_PLUGINS};
    std::vector<ServeSpec> specs;
    for (const auto& executor : config->executors) {
      specs.push_back({executor.name, 0, "127.0.0.1:0", unix_path(executor.name)});
    }
    return serve_executors(*config, specs);
  }

  pid_t pid_ = 0;
  pid_t client_ = 0;
  core::UniqueFd notify_;
  core::UniqueFd log_;
  core::NotifyMessage last_;
  std::string text_;
};

std::string executor(const std::string& name, const std::string& uses) {
  return "[[executors]]\nname = \"" + name + "\"\nuses = \"" + uses + "\"\n";
}

TEST(Serve, TellsItsProgressServesAndEndsOnATerminationSignal) {
  Child child(executor("executor0", "echo"));

  EXPECT_THAT(child.wait_for("STATUS"), HasSubstr("create()"));
  EXPECT_EQ(child.wait_for("READY"), "1");
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_for("STOPPING"), "1");

  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(child.log(), HasSubstr("start listening on 127.0.0.1:"));
  EXPECT_THAT(child.log(), HasSubstr("ready and listening"));
  EXPECT_THAT(child.log(), HasSubstr("executor0/rep-0@"));
}

TEST(Serve, OutlivesTheReaderOfItsLog) {
  Child child(executor("executor0", "echo"));
  EXPECT_EQ(child.wait_for("READY"), "1");
  child.stop_reading_its_log();
  child.signal(SIGTERM);  // which is logged
  EXPECT_EQ(child.wait(), 0);
}

TEST(Serve, ServesSeveralExecutorsInOneProcess) {
  Child child(executor("one", "echo") + executor("two", "upper") + executor("three", "echo"));

  EXPECT_EQ(child.wait_for("READY"), "1");
  child.signal(SIGINT);

  EXPECT_EQ(child.wait(), 0);
  EXPECT_THAT(child.log(), HasSubstr("three/rep-0@"));
}

TEST(Serve, SaysWhichExecutorFailedAndWhy) {
  Child bad_plugin(executor("one", "echo") + executor("two", "wrong-major"));
  EXPECT_THAT(bad_plugin.wait_for("X_FLOW_FAILURE"), HasSubstr("was built for ABI"));
  EXPECT_EQ(bad_plugin.last().at("X_FLOW_EXECUTOR"), "two");
  EXPECT_EQ(bad_plugin.wait(), 1);
  EXPECT_THAT(bad_plugin.log(), HasSubstr("executor \"two\": "));

  Child bad_create(executor("one", "create-fails"));
  EXPECT_THAT(bad_create.wait_for("X_FLOW_FAILURE"), HasSubstr("create() returned "));
  EXPECT_EQ(bad_create.wait(), 1);
}

TEST(Serve, EndsWithoutTheCallsThatDoNotEnd) {
  Child child(executor("one", "hangs"));
  EXPECT_EQ(child.wait_for("READY"), "1");
  child.start_client("one");
  child.signal(SIGTERM);

  EXPECT_EQ(child.wait(), 1);
  EXPECT_THAT(child.log(), HasSubstr("1 call did not end within drain_timeout"));
}

TEST(Serve, EndsAtOnceAfterASecondSignal) {
  Child child(executor("one", "hangs"), "60s");
  EXPECT_EQ(child.wait_for("READY"), "1");
  child.start_client("one");
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_for("STOPPING"), "1");
  child.signal(SIGINT);

  EXPECT_EQ(child.wait(), 128 + SIGINT);
}

TEST(Serve, EndsWhenItIsToldToWhileCreateHangs) {
  Child child(executor("one", "create-hangs"));
  EXPECT_THAT(child.wait_for("STATUS"), HasSubstr("create()"));
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_for("STOPPING"), "1");
  EXPECT_EQ(child.wait(), 0);
}

TEST(Serve, SaysThatAPluginHangsThenWhereAndEndsItselfIfNobodyDoes) {
  Child child(executor("one", "hangs") + "hang_budget = \"200ms\"\n");
  EXPECT_EQ(child.wait_for("READY"), "1");
  child.start_client("one");

  const std::string sentence = "a call at / made no progress for 0.2 s (hang_budget)";
  EXPECT_EQ(child.wait_for("X_FLOW_HUNG"), sentence);
  EXPECT_EQ(child.last().at("X_FLOW_EXECUTOR"), "one");
  EXPECT_FALSE(child.last().contains("X_FLOW_STACK"));
  EXPECT_THAT(
      child.wait_for("X_FLOW_STACK"),
      AllOf(StartsWith("thread "), HasSubstr(", inside process():\t#0 0x"), HasSubstr("<Hangs>")));
  EXPECT_EQ(child.last().at("X_FLOW_HUNG"), sentence);
  EXPECT_EQ(child.wait(), 70);
  EXPECT_THAT(child.log(), AllOf(HasSubstr(sentence), HasSubstr("<Hangs>")));
}

TEST(Serve, SaysWhereCreateHangsAndEndsAtOnce) {
  Child child(executor("one", "create-hangs") + "timeout_ready = \"400ms\"\n");
  EXPECT_EQ(child.wait_for("X_FLOW_HUNG"),
            "create() of plugin \"create-hangs\" did not return within 400 ms (timeout_ready)");
  EXPECT_THAT(child.wait_for("X_FLOW_STACK"),
              AllOf(HasSubstr(", inside create():\t#0 0x"), HasSubstr("CreateHangs")));
  EXPECT_EQ(child.wait(), 70);
}

}  // namespace
}  // namespace flow::host
