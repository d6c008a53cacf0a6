// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/child_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::host {
namespace {

// The C library's wrappers cannot be used from C++: its header lacks extern "C".
int pidfd_open(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> all;
  all.reserve(strings.size() + 1);
  // POSIX promises not to change them.
  for (const std::string& each : strings) all.push_back(const_cast<char*>(each.c_str()));
  all.push_back(nullptr);
  return all;
}

class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  Attributes() { ::posix_spawnattr_init(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  posix_spawnattr_t* get() { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

}  // namespace

absl::StatusOr<ChildProcess> spawn(const SpawnSpec& spec) {
  FileActions files;
  int failure =
      ::posix_spawn_file_actions_addopen(files.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (failure == 0 && spec.output != STDOUT_FILENO) {
    failure = ::posix_spawn_file_actions_adddup2(files.get(), spec.output, STDOUT_FILENO);
  }
  int first_unwanted = kHandedOverFd;
  if (failure == 0 && spec.handed_over >= 0) {
    failure = ::posix_spawn_file_actions_adddup2(files.get(), spec.handed_over, kHandedOverFd);
    ++first_unwanted;
  }
  // Ours are close-on-exec; this is for what whoever started us left open.
  if (failure == 0) {
    failure = ::posix_spawn_file_actions_addclosefrom_np(files.get(), first_unwanted);
  }

  Attributes attributes;
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  if (failure == 0) failure = ::posix_spawnattr_setsigmask(attributes.get(), &none);
  if (failure == 0) failure = ::posix_spawnattr_setsigdefault(attributes.get(), &all);
  if (failure == 0) failure = ::posix_spawnattr_setpgroup(attributes.get(), 0);
  if (failure == 0) {
    failure = ::posix_spawnattr_setflags(
        attributes.get(), POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }

  ChildProcess child;
  if (failure == 0) {
    failure = ::posix_spawn(&child.pid, spec.command.front().c_str(), files.get(), attributes.get(),
                            pointers(spec.command).data(), pointers(spec.environment).data());
  }
  if (failure != 0) return core::system_error(failure, spec.command.front());

  // It is not reaped yet, so the id cannot mean another process.
  child.pidfd.reset(pidfd_open(child.pid));
  if (!child.pidfd) {
    const int reason = errno;
    ::kill(child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);  // killed before it did anything: at once
    return core::system_error(reason, fmt::format("pidfd_open of process {}", child.pid));
  }
  return child;
}

std::optional<ProcessExit> reap(int pidfd) {
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG) != 0 ||
      info.si_pid == 0)
    return std::nullopt;
  return ProcessExit{
      info.si_code == CLD_EXITED ? ProcessExit::How::Exited : ProcessExit::How::Killed,
      info.si_status};
}

void kill_group(pid_t leader) { ::kill(-leader, SIGKILL); }

void send_signal(int pidfd, int number) {
  ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0);
}

}  // namespace flow::host
