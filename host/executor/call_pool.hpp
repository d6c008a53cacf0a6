// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/log.hpp"
#include "host/crash/plugin_mark.hpp"
#include "host/executor/call.hpp"
#include "host/stack/stack_lines.hpp"

namespace flow::host {

// All calls of one executor, and the bound on how many there are at once. A call's memory is never
// freed, and is used again only after `quarantine` others: so a plugin that finishes a call twice
// touches a call that is over, and not somebody else's. Thread-safe.
class CallPool {
 public:
  CallPool(std::size_t in_use_max, std::size_t quarantine, core::Logger logger)
      : in_use_max_(in_use_max),
        quarantine_(quarantine),
        logger_(std::move(logger)),
        known_(in_use_max + quarantine + 1) {}
  CallPool(const CallPool&) = delete;
  CallPool& operator=(const CallPool&) = delete;

  // A queued call that its taker holds; nullptr if there are too many already, or after close().
  Call* take(const CallSpec& spec);
  void give_back(Call& call);

  // No further calls.
  void close();
  bool is_closed() const;
  // Waits until no call is in use; false if that takes longer than until `deadline`.
  bool wait_until_idle(std::chrono::steady_clock::time_point deadline);
  std::size_t in_use() const;
  // For each call, in use or not: a call knows.
  void for_each(const std::function<void(Call&)>& visit);
  // Those that a plugin has begun and not ended, `max` at the most; how many these are.
  // Async-signal-safe.
  std::size_t begun(MarkedCall* to, std::size_t max) const;
  std::size_t in_use_max() const { return in_use_max_; }

  spdlog::logger& logger() { return *logger_; }
  std::vector<std::string> stack_lines(const RawStack& stack) { return names_.lines(stack); }

 private:
  const std::size_t in_use_max_;
  const std::size_t quarantine_;
  const core::Logger logger_;
  // calls_ once more, for signal handlers: entries come in order and do not change.
  std::vector<std::atomic<const Call*>> known_;
  StackLines names_;

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::deque<Call*> unused_;  // the longest unused first
  std::size_t in_use_ = 0;
  std::uint32_t last_tag_ = 0;
  bool closed_ = false;
};

}  // namespace flow::host
