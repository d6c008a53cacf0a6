// SPDX-License-Identifier: Apache-2.0
#include "host/executor/call.hpp"

#include <utility>

#include "core/limits.hpp"
#include "host/executor/call_pool.hpp"
#include "host/executor/clock.hpp"
#include "host/executor/stay.hpp"

namespace flow::host {

void Call::begin(const CallSpec& spec, std::uint32_t tag) {
  const std::lock_guard lock(mutex_);
  spec_ = spec;
  documents_.emplace(*spec.message, tag, spec.bytes_max);
  cancelled_.store(false, std::memory_order_relaxed);
  stopping_.store(false, std::memory_order_relaxed);
  lacks_a_part_.store(false, std::memory_order_relaxed);
  emitting_.store(false, std::memory_order_relaxed);
  given_up_.store(false, std::memory_order_relaxed);
  holders_.store(1, std::memory_order_relaxed);
  early_status_ = FLOW_OK;
  cancel_told_ = false;
  error_.clear();
  thrown_at_.reset();
  state_.store(State::Queued, std::memory_order_release);
}

void Call::clear() {
  CallSpec over;  // what it keeps goes without the lock
  const std::lock_guard lock(mutex_);
  state_.store(State::Unused, std::memory_order_release);
  documents_.reset();
  request_ = {};  // its views are of the message, which goes
  over = std::exchange(spec_, {});
}

bool Call::start(std::uint64_t now_ns) {
  const bool expired = now_ns >= spec_.deadline_ns;
  {
    const std::lock_guard lock(mutex_);
    if (!expired && !cancelled_.load(std::memory_order_relaxed)) {
      thread_ = this_thread();
      progress_ns_.store(now_ns, std::memory_order_relaxed);
      state_.store(State::Running, std::memory_order_release);
      return true;
    }
  }
  if (expired) {
    refuse(FLOW_DEADLINE_EXCEEDED, "the deadline passed while the request waited for the executor");
  } else if (is_stopping()) {
    refuse(FLOW_UNAVAILABLE, "the executor stopped before the request's turn came");
  } else {
    refuse(FLOW_CANCELLED, "the caller left while the request waited for the executor");
  }
  return false;
}

Call::AfterReturn Call::returned(flow_status status, std::uint32_t plugin_flags) {
  {
    const std::lock_guard lock(mutex_);
    thread_ = 0;
    if (state_ == State::FinishedEarly) {
      if (status != FLOW_PENDING) {
        pool_.logger().error("process() returned a final status after call_finish(): ignored");
      }
      status = early_status_;
    } else if (status == FLOW_PENDING && (plugin_flags & FLOW_ASYNC) != 0) {
      progress();
      state_.store(State::Pending, std::memory_order_release);
      if (!cancelled_.load(std::memory_order_relaxed)) return AfterReturn::Nothing;
      hold();  // the plugin may finish before it is told
      return AfterReturn::TellCancel;
    } else if (status == FLOW_PENDING) {
      error_ = "process() returned FLOW_PENDING, but the plugin's flags lack FLOW_ASYNC";
      status = FLOW_INTERNAL;
    }
    state_.store(State::Over, std::memory_order_release);
  }
  end(status);
  return AfterReturn::Nothing;
}

void Call::refuse(flow_status status, std::string_view text) {
  {
    const std::lock_guard lock(mutex_);
    state_.store(State::Over, std::memory_order_release);
  }
  spec_.origin->call_finished({status, std::string(text), Outcome::Started::No});
}

bool Call::caller_left() {
  const std::lock_guard lock(mutex_);
  return cancel_locked();
}

bool Call::cancel_locked() {
  cancelled_.store(true, std::memory_order_relaxed);
  if (state_ != State::Pending || cancel_told_) return false;
  hold();
  return true;
}

void Call::origin_left() {
  {
    const std::lock_guard lock(mutex_);
    spec_.origin = nullptr;
  }
  release();
}

bool Call::stop(CallOrigin::Stop how) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::Unused || spec_.origin == nullptr) return false;
  stopping_.store(true, std::memory_order_relaxed);
  const bool tell = cancel_locked();
  spec_.origin->call_stopping(how);
  return tell;
}

std::optional<std::uint64_t> Call::silent_since() const {
  const State now = state();
  const bool in_hand =
      now == State::Running || now == State::FinishedEarly || now == State::Pending;
  if (!in_hand || emitting_.load(std::memory_order_acquire) || given_up_.load()) {
    return std::nullopt;
  }
  return progress_ns_.load(std::memory_order_relaxed);
}

std::optional<Call::GivenUp> Call::give_up(std::uint64_t since_ns) {
  const std::lock_guard lock(mutex_);
  if (silent_since() != since_ns) return std::nullopt;
  given_up_.store(true);
  hold();  // the plugin's own, until it ends the call
  return GivenUp{thread_, cancel_locked()};
}

void Call::answer_given_up(flow_status status, std::string text) {
  spec_.origin->call_finished({status, std::move(text), Outcome::Started::Yes, Outcome::Held::Yes});
}

bool Call::begin_cancel() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::Pending || cancel_told_) return false;
  cancel_told_ = true;
  return true;
}

Call::Finish Call::finish(flow_status status) {
  if (status == FLOW_PENDING) status = FLOW_UNKNOWN;
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::Running) {
      // process() has not returned and may still look at the documents.
      early_status_ = status;
      state_.store(State::FinishedEarly, std::memory_order_release);
      return Finish::Accepted;
    }
    if (state_ != State::Pending) {
      pool_.logger().error("call_finish() on a call that is finished already: ignored (rule A9)");
      return Finish::Ignored;
    }
    state_.store(State::Over, std::memory_order_release);
  }
  end(status);
  return Finish::Accepted;
}

// The call is released, and perhaps used again, as soon as its origin knows.
void Call::end(flow_status status) {
  if (given_up_.load()) return release();
  documents_->finish();
  if (status == FLOW_OK && lacks_a_part_.load(std::memory_order_relaxed)) status = FLOW_CANCELLED;
  Outcome outcome{status, {}, Outcome::Started::Yes};
  std::optional<RawStack> thrown_at;
  {
    const std::lock_guard lock(mutex_);
    outcome.text = std::move(error_);
    thrown_at = std::exchange(thrown_at_, std::nullopt);
  }
  // Other codes are a plugin's way to say what is wrong with a request, which needs no stack.
  const bool is_a_bug = status == FLOW_INTERNAL || status == FLOW_UNKNOWN;
  if (is_a_bug && thrown_at) outcome.stack = pool_.stack_lines(*thrown_at);
  spec_.origin->call_finished(outcome);
}

void Call::set_error(std::string_view text, const RawStack* thrown_at) {
  const std::lock_guard lock(mutex_);
  thrown_at_ = thrown_at == nullptr ? std::nullopt : std::optional(*thrown_at);
  error_.assign(text.substr(0, core::limits::kErrorTextMax));
}

flow_status Call::emit() {
  emitting_.store(true, std::memory_order_relaxed);
  const flow_status status = emit_unless_cancelled();
  progress();
  emitting_.store(false, std::memory_order_release);
  if (status == FLOW_CANCELLED) lacks_a_part_.store(true, std::memory_order_relaxed);
  return status;
}

flow_status Call::emit_unless_cancelled() {
  if (is_cancelled()) return FLOW_CANCELLED;
  if (spec_.stream == nullptr) return documents_->keep_part();
  CallStream::Part part;
  if (const auto status = documents_->take_part(part); status != FLOW_OK) return status;
  return spec_.stream->write(std::move(part));
}

void Call::progress() { progress_ns_.store(monotonic_ns(), std::memory_order_relaxed); }

flow_status Call::refuse_emit() {
  pool_.logger().error(
      "call_emit() by a plugin whose flags lack FLOW_STREAMS: answered UNIMPLEMENTED; add the flag "
      "to FLOW_PLUGIN or to the table");
  return FLOW_UNIMPLEMENTED;
}

bool Call::is_cancelled() const {
  if (cancelled_.load(std::memory_order_relaxed)) return true;
  return spec_.deadline_ns != UINT64_MAX && monotonic_ns() >= spec_.deadline_ns;
}

bool Call::is_alive() const {
  const State now = state();
  return now == State::Running || now == State::Pending;
}

void Call::release() {
  if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) pool_.give_back(*this);
}

}  // namespace flow::host
