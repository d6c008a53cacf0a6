// SPDX-License-Identifier: Apache-2.0
#include "host/executor/dispatcher.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"
#include "host/crash/crash_handler.hpp"
#include "host/executor/clock.hpp"

namespace flow::host {

std::size_t worker_count(std::uint32_t plugin_flags, std::size_t cores) {
  if ((plugin_flags & FLOW_CONCURRENT) == 0) return 1;
  if ((plugin_flags & FLOW_BLOCKS) != 0) return core::limits::kBlockingWorkers;
  return std::max<std::size_t>(cores, 1);
}

Dispatcher::Dispatcher(PluginExecutor& executor, Attendant& attendant, std::size_t workers)
    : executor_(executor), attendant_(attendant), workers_(workers) {}

Dispatcher::~Dispatcher() { stop(); }

absl::Status Dispatcher::start() {
  auto created = created_.get_future();
  first_ = std::thread([this] { live_as_first_worker(); });
  return created.get();
}

void Dispatcher::submit(Call& call) {
  std::optional<std::string> refusal;
  {
    const std::lock_guard lock(mutex_);
    refusal = refusal_;
    if (!refusal) queue_.push_back(&call);
  }
  if (refusal) return call.refuse(FLOW_UNAVAILABLE, *refusal);
  changed_.notify_one();
}

void Dispatcher::refuse_all(const std::string& why) {
  std::deque<Call*> refused;
  {
    const std::lock_guard lock(mutex_);
    refusal_ = why;
    refused.swap(queue_);
  }
  for (auto* call : refused) call->refuse(FLOW_UNAVAILABLE, why);
}

void Dispatcher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (first_.joinable()) first_.join();
}

void Dispatcher::live_as_first_worker() {
  const PluginThread self("worker");
  absl::Status status = executor_.create();
  const bool created = status.ok();
  created_.set_value(std::move(status));
  if (!created) return;
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < workers_; ++i)
    others.emplace_back([this] {
      const PluginThread self_too("worker");
      work();
    });
  work();
  for (auto& other : others) other.join();
  attendant_.stop();  // health() and cancel() must not meet destroy()
  executor_.destroy();
}

void Dispatcher::work() {
  while (Call* call = next()) {
    if (!call->start(monotonic_ns())) continue;
    if (executor_.process(*call) == Call::AfterReturn::TellCancel) attendant_.cancel(*call);
  }
}

Call* Dispatcher::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  if (queue_.empty()) return nullptr;
  Call* call = queue_.front();
  queue_.pop_front();
  return call;
}

}  // namespace flow::host
