// SPDX-License-Identifier: Apache-2.0
// Protects the way of a notify message through real sockets, and a child's bond to its parent.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "core/notify.hpp"
#include "core/status.hpp"
#include "core/unique_fd.hpp"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::core {
namespace {

using ::testing::HasSubstr;

// What a service manager has: a datagram socket under a name.
class Receiver {
 public:
  explicit Receiver(std::string address) {
    if (address.starts_with('@')) address.front() = '\0';
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, address.data(), address.size());
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&at), length), 0)
        << std::strerror(errno);
  }

  std::string receive() const {
    pollfd ready{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 5000) <= 0) return "(nothing came)";
    char datagram[4096];
    const ssize_t size = ::recv(socket_.get(), datagram, sizeof(datagram), 0);
    return {datagram, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  }

 private:
  UniqueFd socket_;
};

std::string abstract_name() { return fmt::format("@flow-notify-test-{}", ::getpid()); }

TEST(Notifier, SpeaksToAnAbstractSocket) {
  const Receiver receiver(abstract_name());
  ::setenv("NOTIFY_SOCKET", abstract_name().c_str(), 1);

  const Notifier notifier;
  notifier.send({{"READY", "1"}, {"STATUS", "serving"}});

  EXPECT_EQ(receiver.receive(), "READY=1\nSTATUS=serving\n");
}

TEST(Notifier, SpeaksToASocketWithAPath) {
  const std::string path = fmt::format("{}flow-notify-{}", ::testing::TempDir(), ::getpid());
  std::filesystem::remove(path);
  const Receiver receiver(path);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);

  const Notifier notifier;
  notifier.send({{"STOPPING", "1"}});

  EXPECT_EQ(receiver.receive(), "STOPPING=1\n");
  std::filesystem::remove(path);
}

TEST(Notifier, LosesNothingWhenManySpeakAtOnce) {
  const Receiver receiver(abstract_name());
  ::setenv("NOTIFY_SOCKET", abstract_name().c_str(), 1);
  const Notifier notifier;
  constexpr int kMessages = 200;  // many times what the socket queues

  std::thread speaker([&] {
    for (int i = 0; i < kMessages; ++i) notifier.send({{"STATUS", std::to_string(i)}});
  });
  std::vector<std::string> received;
  for (int i = 0; i < kMessages; ++i) received.push_back(receiver.receive());
  speaker.join();

  EXPECT_EQ(received.front(), "STATUS=0\n");
  EXPECT_EQ(received.back(), fmt::format("STATUS={}\n", kMessages - 1));
}

TEST(Notifier, TakesTheVariableOutOfTheEnvironment) {
  ::setenv("NOTIFY_SOCKET", abstract_name().c_str(), 1);

  const Notifier notifier;

  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
}

TEST(Notifier, DoesNothingWithoutASocketToSpeakTo) {
  const std::string endless = "/" + std::string(200, 'x');
  for (const char* address :
       {"", "relative", "vsock:2:1234", "/nowhere/at/all", "@nobody-is-there", endless.c_str()}) {
    ::setenv("NOTIFY_SOCKET", address, 1);
    const Notifier notifier;
    notifier.send({{"READY", "1"}});
  }
  ::unsetenv("NOTIFY_SOCKET");
  Notifier().send({{"READY", "1"}});
}

TEST(Notifier, WaitsOnceAndNotForEachMessageWhenNobodyReceives) {
  const Receiver receiver(abstract_name());
  ::setenv("NOTIFY_SOCKET", abstract_name().c_str(), 1);

  const Notifier notifier;
  for (int i = 0; i < 10'000; ++i) notifier.send({{"STATUS", std::string(1000, 'x')}});

  EXPECT_THAT(receiver.receive(), ::testing::StartsWith("STATUS=xxx"));
}

TEST(FollowSupervisor, HasNothingToDoWithoutTheVariable) {
  ::unsetenv("FLOW_SUPERVISOR_PID");
  EXPECT_TRUE(follow_supervisor().ok());
}

TEST(FollowSupervisor, RefusesWhatIsNoProcess) {
  for (const char* text : {"nonsense", "-1", "0", "12x", "99999999999999"}) {
    ::setenv("FLOW_SUPERVISOR_PID", text, 1);
    const absl::Status status = follow_supervisor();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

// Runs `child` in a new process and returns its exit status, or minus the signal that ended it.
template <typename Child>
int run(Child child) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(child());
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(FollowSupervisor, FailsIfTheSupervisorIsGoneAlready) {
  EXPECT_EQ(run([] {
              ::setenv("FLOW_SUPERVISOR_PID", "2147483000", 1);
              const absl::Status status = follow_supervisor();
              return status.code() == absl::StatusCode::kAborted ? 42 : 0;
            }),
            42);
}

TEST(FollowSupervisor, DiesWithItsSupervisor) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);

  // The supervisor ends when its child has asked to follow; the child would wait for ever.
  EXPECT_EQ(run([&] {
              ::setenv("FLOW_SUPERVISOR_PID", std::to_string(::getpid()).c_str(), 1);
              const pid_t child = ::fork();
              if (child == 0) {
                const char done = follow_supervisor().ok() ? 'y' : 'n';
                if (::write(write_end.get(), &done, 1) != 1) return 1;
                for (;;) ::pause();
              }
              char done = 0;
              return ::read(read_end.get(), &done, 1) == 1 && done == 'y' ? 0 : 1;
            }),
            0);
  write_end.reset();

  // The pipe ends when the last process that could write to it is gone.
  pollfd ended{.fd = read_end.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&ended, 1, 5000), 1) << "the child outlives its supervisor";
  char byte = 0;
  EXPECT_EQ(::read(read_end.get(), &byte, 1), 0);
}

}  // namespace
}  // namespace flow::core
