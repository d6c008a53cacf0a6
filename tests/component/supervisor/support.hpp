// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "core/unique_fd.hpp"
#include "fmt/format.h"
#include "gtest/gtest.h"

// Real processes for tests: started, listened to and waited for with a deadline.
namespace flow::host {

constexpr std::chrono::seconds kPatience{10};

inline core::UniqueFd open_pidfd(pid_t pid) {
  return core::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

inline bool wait_readable(int fd, std::chrono::steady_clock::time_point until) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  pollfd poll{fd, POLLIN, 0};
  return ::poll(&poll, 1, static_cast<int>(std::max<std::int64_t>(0, left.count()))) == 1;
}
inline bool wait_readable(int fd) {
  return wait_readable(fd, std::chrono::steady_clock::now() + kPatience);
}

class TemporaryFolder {
 public:
  TemporaryFolder() { EXPECT_NE(::mkdtemp(path_.data()), nullptr); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string file = path_ + "/" + name;
    std::ofstream(file) << text;
    return file;
  }

 private:
  std::string path_ = ::testing::TempDir() + "flow-test-XXXXXX";
};

// A program whose standard output and error are read together, line by line. Killed at the end.
class Program {
 public:
  Program(std::vector<std::string> command, std::vector<std::string> environment) {
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    output_.reset(pipe[0]);
    const core::UniqueFd write_end(pipe[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
    std::vector<char*> argv;
    for (std::string& each : command) argv.push_back(each.data());
    argv.push_back(nullptr);
    // Its own environment, but for how a sanitizer is to behave.
    for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS"}) {
      if (const char* value = std::getenv(name))
        environment.push_back(fmt::format("{}={}", name, value));
    }
    std::vector<char*> envp;
    for (std::string& each : environment) envp.push_back(each.data());
    envp.push_back(nullptr);
    EXPECT_EQ(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), envp.data()), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    pidfd_ = open_pidfd(pid_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }
  void signal(int number) const { ::kill(pid_, number); }

  // Reads until a line matches; its groups, the whole first. Lines before it are passed over.
  std::vector<std::string> expect(const std::string& pattern) {
    const std::regex regex(pattern);
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (auto line = next_line(until)) {
      std::smatch match;
      if (!std::regex_search(*line, match, regex)) continue;
      return {match.begin(), match.end()};
    }
    ADD_FAILURE() << "no line matches " << pattern << " in:\n" << seen_;
    return std::vector<std::string>(10);
  }

  // Waits for the end: the exit status, or minus the signal's number.
  int wait() {
    if (!wait_readable(pidfd_.get())) {
      ADD_FAILURE() << "still running; it said:\n" << seen_;
      return 1000;
    }
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  // Everything that was said, to the end; call after wait().
  const std::string& all_output() {
    while (next_line(std::chrono::steady_clock::now() + kPatience)) {
    }
    return seen_;
  }

 private:
  std::optional<std::string> next_line(std::chrono::steady_clock::time_point until) {
    while (true) {
      if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        seen_ += line + "\n";
        return line;
      }
      if (!wait_readable(output_.get(), until)) return std::nullopt;
      std::array<char, 4096> data{};
      const ssize_t size = ::read(output_.get(), data.data(), data.size());
      if (size <= 0) return std::nullopt;
      buffer_.append(data.data(), static_cast<std::size_t>(size));
    }
  }

  pid_t pid_ = 0;
  core::UniqueFd pidfd_;
  core::UniqueFd output_;
  std::string buffer_;
  std::string seen_;
};

}  // namespace flow::host
