// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "host/executor/plugin_executor.hpp"

namespace flow::host {

// The thread on which a plugin is asked for its health and told of callers that left: neither may
// wait for work, and gRPC's threads run no plugin code. Thread-safe.
class Attendant {
 public:
  // Gets the health whenever it was asked for, on the attendant's thread.
  using OnHealth = std::function<void(const absl::Status&)>;

  Attendant(PluginExecutor& executor, std::chrono::nanoseconds interval, OnHealth on_health);
  Attendant(const Attendant&) = delete;
  Attendant& operator=(const Attendant&) = delete;
  ~Attendant();

  // After create(). Asks for the health at once, then every interval.
  void start();
  // Takes over one hold of the call.
  void cancel(Call& call);
  // Waits until the plugin's functions have returned; a cancel() from now on is only released.
  void stop();

 private:
  void run();

  PluginExecutor& executor_;
  const std::chrono::nanoseconds interval_;
  const OnHealth on_health_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Call*> left_;  // bounded by the pool's calls
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace flow::host
