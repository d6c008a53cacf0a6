// SPDX-License-Identifier: Apache-2.0
#include "host/executor/call_pool.hpp"

namespace flow::host {

Call* CallPool::take(const CallSpec& spec) {
  Call* call = nullptr;
  std::uint32_t tag = 0;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || in_use_ >= in_use_max_) return nullptr;
    if (unused_.size() > quarantine_) {
      call = unused_.front();
      unused_.pop_front();
    } else {
      call = calls_.emplace_back(std::make_unique<Call>(*this)).get();
      known_[calls_.size() - 1].store(call, std::memory_order_release);
    }
    ++in_use_;
    last_tag_ = last_tag_ == UINT32_MAX ? 1 : last_tag_ + 1;
    tag = last_tag_;
  }
  call->begin(spec, tag);
  return call;
}

void CallPool::give_back(Call& call) {
  call.clear();
  const std::lock_guard lock(mutex_);
  unused_.push_back(&call);
  if (--in_use_ == 0) idle_.notify_all();
}

void CallPool::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

bool CallPool::is_closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

bool CallPool::wait_until_idle(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return idle_.wait_until(lock, deadline, [this] { return in_use_ == 0; });
}

std::size_t CallPool::in_use() const {
  const std::lock_guard lock(mutex_);
  return in_use_;
}

std::size_t CallPool::begun(MarkedCall* to, std::size_t max) const {
  const auto view = [](flow_str text) { return std::string_view(text.data, text.size); };
  std::size_t count = 0;
  for (const auto& each : known_) {
    const Call* call = each.load(std::memory_order_acquire);
    if (call == nullptr || count == max) break;
    const Call::State state = call->state();
    const bool is_begun = state == Call::State::Running || state == Call::State::Pending ||
                          state == Call::State::FinishedEarly;
    if (is_begun) to[count++] = {view(call->request().id), view(call->request().endpoint)};
  }
  return count;
}

// Without the lock: what is done to a call may end another, which comes back here.
void CallPool::for_each(const std::function<void(Call&)>& visit) {
  std::vector<Call*> calls;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& call : calls_) calls.push_back(call.get());
  }
  for (auto* call : calls) visit(*call);
}

}  // namespace flow::host
