// SPDX-License-Identifier: Apache-2.0
#include "host/executor/watchdog.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "core/limits.hpp"
#include "host/executor/clock.hpp"

namespace flow::host {

Watchdog::Watchdog() : watch_(core::limits::kWatchInterval, core::limits::kWatchLate) {
  thread_ = std::thread([this] { run(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::add(WatchdogClient& client) {
  const std::lock_guard lock(mutex_);
  clients_.push_back(&client);
}

void Watchdog::remove(WatchdogClient& client) {
  const std::lock_guard lock(mutex_);
  std::erase(clients_, &client);
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::chrono::nanoseconds next(look());
    changed_.wait_until(lock, std::chrono::steady_clock::time_point(next),
                        [this] { return stopping_; });
  }
}

std::uint64_t Watchdog::look() {
  std::vector<Watched> under_way;
  std::vector<std::size_t> first;  // of each client, its place in that
  for (auto* client : clients_) {
    first.push_back(under_way.size());
    client->add_watched(under_way);
  }
  first.push_back(under_way.size());
  const HangWatch::Look look = watch_.look(monotonic_ns(), under_way);
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    std::vector<HangWatch::Overdue> overdue;
    for (const auto& each : look.overdue) {
      if (each.place < first[i] || each.place >= first[i + 1]) continue;
      overdue.push_back({each.place - first[i], each.silent});
    }
    if (!overdue.empty()) clients_[i]->on_overdue(overdue);
  }
  return look.next_ns;
}

}  // namespace flow::host
