// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "host/supervisor/child_process.hpp"
#include "host/supervisor/notify_socket.hpp"

namespace flow::host {

// A flow-host as a child of this process. A thread of its own starts it and hears what it says: the
// kernel's parent-death signal follows the thread that started a child, not its process, so that
// thread must live as long. Thread-safe.
class Keeper {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  // Starts `command` and returns at once.
  static absl::StatusOr<std::unique_ptr<Keeper>> start(std::vector<std::string> command);
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  // Kills what still runs.
  ~Keeper();

  // Where the gateway listens, when the Flow is ready. UNAVAILABLE with the child's own words if it
  // ends before.
  absl::StatusOr<std::string> wait_ready(Deadline deadline);
  // How it ended; nothing if it has not until the deadline.
  std::optional<std::string> wait_end(Deadline deadline);
  // Does nothing if it has ended.
  void signal(int number);
  // A descriptor, the caller's, that is readable when it has ended; none if it never ran.
  core::UniqueFd end_descriptor();

 private:
  Keeper(NotifySocket notify, std::vector<std::string> command);
  void run();
  absl::StatusOr<int> spawn();
  void listen(int pidfd);
  void hear();
  void end(std::string how);

  NotifySocket notify_;
  const std::vector<std::string> command_;

  std::mutex mutex_;  // for what follows
  std::condition_variable changed_;
  core::UniqueFd pidfd_;
  bool ready_ = false;
  std::string address_;
  std::string failure_;             // the child's words
  std::optional<std::string> end_;  // how it ended

  std::thread thread_;  // the last member: it uses the others
};

}  // namespace flow::host
