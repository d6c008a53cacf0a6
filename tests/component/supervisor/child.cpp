// SPDX-License-Identifier: Apache-2.0
//
// Stands in for flow-host --executor and for flow-gateway in tests of the supervisor. What it does
// is in $CHILD_MODE (executors) or $GATEWAY_MODE; what it sees is said on standard output.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "core/notify.hpp"
#include "core/replica.hpp"
#include "flow/v1/control.pb.h"
#include "fmt/format.h"

namespace {

using flow::core::Notifier;

std::string variable(const char* name, std::string otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::move(otherwise) : value;
}

// One write, so that lines of several processes do not tear.
template <typename... Values>
void say(fmt::format_string<Values...> text, Values&&... values) {
  const std::string line = fmt::format(text, std::forward<Values>(values)...) + "\n";
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) std::_Exit(99);
}

void wait_for_sigterm() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  int number = 0;
  ::sigwait(&set, &number);
}

// What a new process inherits, told to whoever holds the other end of descriptor 3.
int report() {
  std::string text;
  for (int fd = 0; fd < 64; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) text += fmt::format("fd {};", fd);
  }
  struct stat input {};
  struct stat null {};
  ::fstat(STDIN_FILENO, &input);
  ::stat("/dev/null", &null);
  if (input.st_rdev == null.st_rdev) text += "stdin null;";
  if (::getpgrp() == ::getpid()) text += "own group;";
  sigset_t blocked;
  ::sigprocmask(SIG_BLOCK, nullptr, &blocked);
  for (int number = 1; number < 32; ++number) {
    if (::sigismember(&blocked, number) == 1) text += fmt::format("blocked {};", number);
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
      text += fmt::format("ignored {};", number);
    }
  }
  text += fmt::format("MARK={};", variable("MARK", "unset"));
  return ::write(3, text.data(), text.size()) > 0 ? 0 : 1;
}

// A process whose parent ends before anybody waits for it.
void leave_an_orphan() {
  const pid_t parent = ::fork();
  if (parent != 0) {
    ::waitpid(parent, nullptr, 0);
    return;
  }
  const pid_t orphan = ::fork();
  if (orphan != 0) say("orphan pid {}", orphan);
  ::_exit(0);
}

int run_executor(const Notifier& notifier, const std::string& name) {
  const std::string mode = variable("CHILD_MODE", "ready");
  say("{} pid {}", name, ::getpid());
  if (mode == "exit3") return 3;
  if (mode == "fail") {
    notifier.send({{"X_FLOW_FAILURE", "create() says: no such model"}});
    return 1;
  }
  if (mode == "segv" || mode == "hang") {
    notifier.send({{"STATUS", "plugin \"plug\" is in create()"}});
    if (mode == "segv") ::raise(SIGSEGV);
    while (true) ::pause();
  }
  if (mode == "orphan") leave_an_orphan();
  notifier.send({{"READY", "1"}});
  if (mode == "stubborn") {
    while (true) ::pause();  // SIGTERM is blocked and never taken
  }
  wait_for_sigterm();
  notifier.send({{"STOPPING", "1"}});
  say("{} stops", name);
  return 0;
}

// Ready if all replicas that it was told about are.
int run_gateway(const Notifier& notifier) {
  say("gateway pid {}", ::getpid());
  notifier.send({{"READY", "1"}});
  std::map<std::string, flow::v1::ReplicaUpdate> replicas;
  const int control = std::atoi(variable("FLOW_CONTROL_FD", "-1").c_str());
  bool was_ready = false;
  while (true) {
    std::array<char, 65536> packet{};
    pollfd ready{control, POLLIN, 0};
    timespec no_time{0, 0};
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    sigset_t none;
    ::sigemptyset(&none);
    if (::sigtimedwait(&set, nullptr, &no_time) == SIGTERM) break;
    if (::ppoll(&ready, 1, nullptr, &none) < 0) break;  // SIGTERM comes only in here
    const ssize_t size = ::recv(control, packet.data(), packet.size(), 0);
    if (size <= 0) return 7;
    flow::v1::ReplicaUpdate update;
    if (!update.ParseFromArray(packet.data(), static_cast<int>(size))) return 8;
    const std::string name = fmt::format("{}/{}", update.executor(), update.replica());
    say("told {} {} pid {} at {} {}: {}", name, flow::v1::ReplicaState_Name(update.state()),
        update.pid(), update.tcp_address(), update.unix_path(), update.reason());
    replicas[name] = update;
    std::string missing;
    for (const auto& [each, known] : replicas) {
      if (known.state() != flow::v1::READY) missing += each + " is not ready";
    }
    if (missing.empty() != was_ready) {
      was_ready = missing.empty();
      notifier.send({{"X_FLOW_READY", was_ready ? "1" : "0"}, {"STATUS", missing}});
    }
  }
  notifier.send({{"STOPPING", "1"}});
  say("gateway stops");
  return 0;
}

void on_sigterm(int) {}

}  // namespace

int main(int argc, char** argv) {
  // Blocked from the first moment, so that none is lost before it is waited for.
  std::signal(SIGTERM, on_sigterm);
  if (argc > 1 && std::string(argv[1]) == "report") return report();
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  if (!flow::core::follow_supervisor().ok()) return 9;
  const Notifier notifier;
  if (argc > 1 && std::string(argv[1]) == "wait") {
    notifier.send({{"READY", "1"}, {"STATUS", "waiting"}});
    wait_for_sigterm();
    return 0;
  }
  if (argc > 2 && std::string(argv[1]) == "exit") return std::atoi(argv[2]);
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string(argv[i]) == "--executor") return run_executor(notifier, argv[i + 1]);
  }
  return run_gateway(notifier);
}
