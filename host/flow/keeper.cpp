// SPDX-License-Identifier: Apache-2.0
#include "host/flow/keeper.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/notify.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "host/supervisor/process_exit.hpp"

namespace flow::host {
namespace {

// What the child gets of our environment, and how it reaches us.
std::vector<std::string> child_variables(const std::string& notify_socket) {
  std::vector<std::string> variables = {fmt::format("NOTIFY_SOCKET={}", notify_socket),
                                        fmt::format("FLOW_SUPERVISOR_PID={}", ::getpid())};
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    const std::string_view variable = *each;
    // A service manager that speaks to us does not mean the child.
    const bool ours = variable.starts_with("NOTIFY_SOCKET=") || variable.starts_with("WATCHDOG_") ||
                      variable.starts_with("FLOW_SUPERVISOR_PID=");
    if (!ours) variables.emplace_back(variable);
  }
  return variables;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Keeper>> Keeper::start(std::vector<std::string> command) {
  FLOW_ASSIGN_OR_RETURN(NotifySocket notify, NotifySocket::create());
  std::unique_ptr<Keeper> keeper(new Keeper(std::move(notify), std::move(command)));
  try {
    keeper->thread_ = std::thread([&each = *keeper] { each.run(); });
  } catch (const std::system_error& error) {
    return core::error(absl::StatusCode::kResourceExhausted,
                       fmt::format("cannot start a thread for the Flow: {}", error.what()));
  }
  return keeper;
}

Keeper::Keeper(NotifySocket notify, std::vector<std::string> command)
    : notify_(std::move(notify)), command_(std::move(command)) {}

Keeper::~Keeper() {
  if (!thread_.joinable()) return;
  signal(SIGKILL);
  thread_.join();
}

absl::StatusOr<std::string> Keeper::wait_ready(Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_until(lock, deadline, [this] { return ready_ || end_; })) {
    return core::error(absl::StatusCode::kDeadlineExceeded, "the Flow was not ready in time");
  }
  if (!end_) return address_;
  return core::error(absl::StatusCode::kUnavailable,
                     failure_.empty() ? fmt::format("{} {}", command_.front(), *end_) : failure_);
}

std::optional<std::string> Keeper::wait_end(Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_until(lock, deadline, [this] { return end_.has_value(); })) {
    return std::nullopt;
  }
  return failure_.empty() ? *end_ : fmt::format("{}: {}", *end_, failure_);
}

void Keeper::signal(int number) {
  std::unique_lock lock(mutex_);
  // The thread may be about to start it: a moment.
  changed_.wait(lock, [this] { return pidfd_ || end_; });
  if (pidfd_ && !end_) send_signal(pidfd_.get(), number);
}

core::UniqueFd Keeper::end_descriptor() {
  const std::lock_guard lock(mutex_);
  return core::UniqueFd(pidfd_ ? ::fcntl(pidfd_.get(), F_DUPFD_CLOEXEC, 0) : -1);
}

void Keeper::run() {
  // Signals are for the program's own threads.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);

  const absl::StatusOr<int> pidfd = spawn();
  if (!pidfd.ok()) return end(fmt::format("did not start: {}", core::message(pidfd.status())));
  listen(*pidfd);
}

absl::StatusOr<int> Keeper::spawn() {
  FLOW_ASSIGN_OR_RETURN(ChildProcess child,
                        host::spawn({.command = command_,
                                     .environment = child_variables(notify_.address()),
                                     .output = STDERR_FILENO}));
  const std::lock_guard lock(mutex_);
  pidfd_ = std::move(child.pidfd);
  changed_.notify_all();
  return pidfd_.get();
}

// Until the child has ended.
void Keeper::listen(int pidfd) {
  while (true) {
    std::array<pollfd, 2> events = {{{notify_.fd(), POLLIN, 0}, {pidfd, POLLIN, 0}}};
    if (::poll(events.data(), events.size(), -1) < 0 && errno != EINTR) {
      return end(fmt::format("is lost: poll: {}", std::generic_category().message(errno)));
    }
    // What it said last may still wait when its end is known already.
    hear();
    if (events[1].revents == 0) continue;
    hear();
    if (const auto exit = reap(pidfd)) return end(describe(*exit));
  }
}

void Keeper::hear() {
  // Only a child of ours knows the address of the socket.
  while (const auto received = notify_.receive()) {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, value] : received->message) {
      if (key == core::notify_key::kFlowAddress) address_ = value;
      if (key == core::notify_key::kFailure) failure_ = value;
      if (key == "READY" && value == "1") ready_ = true;
    }
    changed_.notify_all();
  }
}

void Keeper::end(std::string how) {
  const std::lock_guard lock(mutex_);
  end_ = std::move(how);
  changed_.notify_all();
}

}  // namespace flow::host
