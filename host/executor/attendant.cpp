// SPDX-License-Identifier: Apache-2.0
#include "host/executor/attendant.hpp"

#include <utility>

#include "host/crash/crash_handler.hpp"

namespace flow::host {

Attendant::Attendant(PluginExecutor& executor, std::chrono::nanoseconds interval,
                     OnHealth on_health)
    : executor_(executor), interval_(interval), on_health_(std::move(on_health)) {}

Attendant::~Attendant() { stop(); }

void Attendant::start() {
  const std::lock_guard lock(mutex_);
  if (!stopping_ && (executor_.has_health() || executor_.has_cancel())) {
    thread_ = std::thread([this] { run(); });
  }
}

void Attendant::cancel(Call& call) {
  {
    const std::lock_guard lock(mutex_);
    if (thread_.joinable() && !stopping_) {
      left_.push_back(&call);
      changed_.notify_one();
      return;
    }
  }
  call.release();
}

void Attendant::stop() {
  std::thread thread;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  changed_.notify_one();
  if (thread.joinable()) thread.join();
}

void Attendant::run() {
  const PluginThread self("attendant");
  auto next_health = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (true) {
    if (!left_.empty()) {
      Call* call = left_.front();
      left_.pop_front();
      lock.unlock();
      executor_.cancel(*call);
      call->release();
      lock.lock();
      continue;
    }
    if (stopping_) return;
    const auto now = std::chrono::steady_clock::now();
    if (executor_.has_health() && now >= next_health) {
      lock.unlock();
      on_health_(executor_.health());
      lock.lock();
      next_health = now + interval_;
      continue;
    }
    const auto awake = [this] { return stopping_ || !left_.empty(); };
    if (executor_.has_health()) {
      changed_.wait_until(lock, next_health, awake);
    } else {
      changed_.wait(lock, awake);
    }
  }
}

}  // namespace flow::host
