// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "host/executor/hang_watch.hpp"

namespace flow::host {

// Whoever has things in the hands of a plugin.
class WatchdogClient {
 public:
  // Adds what is under way. On the watchdog's thread, as the other.
  virtual void add_watched(std::vector<Watched>& under_way) = 0;
  // Some of what add_watched() added a moment ago, which may have ended meanwhile; `place` counts
  // from its own first. Told at each look for as long as it is added.
  virtual void on_overdue(std::span<const HangWatch::Overdue> overdue) = 0;

 protected:
  ~WatchdogClient() = default;
};

// The thread that looks after everything that this process gave to plugins. It takes no lock that a
// plugin's code runs under, so it notices whatever the others are stuck in. Thread-safe.
class Watchdog {
 public:
  Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

  // From now on until remove().
  void add(WatchdogClient& client);
  // When this returns the client is not looked at any more.
  void remove(WatchdogClient& client);

 private:
  void run();
  // With the lock; returns when to look again.
  std::uint64_t look();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<WatchdogClient*> clients_;
  HangWatch watch_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace flow::host
