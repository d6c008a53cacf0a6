// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/loop.hpp"

#include <utility>

#include "boost/asio/post.hpp"
#include "core/limits.hpp"

namespace flow::gateway {

void Alarms::Alarm::set(Alarms& alarms, Clock::time_point when, std::function<void()> callback) {
  cancel();
  alarms_ = &alarms;
  entry_ = alarms.pending_.emplace(when, [this, callback = std::move(callback)] {
    alarms_ = nullptr;
    callback();
  });
  alarms.arm();
}

void Alarms::Alarm::cancel() {
  if (Alarms* alarms = std::exchange(alarms_, nullptr)) alarms->pending_.erase(entry_);
}

void Alarms::arm() {
  if (pending_.empty() || armed_ <= pending_.begin()->first) return;
  armed_ = pending_.begin()->first;
  timer_.expires_at(armed_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) fire();
  });
}

std::optional<Clock::time_point> Alarms::next() const {
  if (pending_.empty()) return std::nullopt;
  return pending_.begin()->first;
}

void Alarms::fire() {
  armed_ = Clock::time_point::max();
  const Clock::time_point now = Clock::now();
  while (!pending_.empty() && pending_.begin()->first <= now) {
    // Taken out before it runs: the callback may destroy its own alarm.
    const std::function<void()> callback = std::move(pending_.begin()->second);
    pending_.erase(pending_.begin());
    callback();
  }
  arm();
}

bool BufferBudget::Lease::grow(BufferBudget& budget, std::uint64_t bytes) {
  if (budget.left() < bytes) return false;
  budget.used_ += bytes;
  bytes_ += bytes;
  budget_ = &budget;
  return true;
}

void BufferBudget::Lease::shrink(std::uint64_t bytes) {
  if (budget_ != nullptr) budget_->used_ -= bytes;
  bytes_ -= bytes;
}

Loop::Loop()
    : io_(1),
      alarms_(io_),
      budget_(core::limits::kBufferedBytesMax),
      read_buffer_(core::limits::kReadBytes) {}

void Loop::flush_soon(std::shared_ptr<Flushable> flushable) {
  if (dirty_.empty()) {
    // Handlers that are ready now stand in the queue before this one.
    boost::asio::post(io_, [this] {
      for (const auto& dirty : std::exchange(dirty_, {})) dirty->flush();
    });
  }
  dirty_.push_back(std::move(flushable));
}

}  // namespace flow::gateway
