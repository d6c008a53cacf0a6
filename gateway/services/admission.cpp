// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/admission.hpp"

namespace flow::gateway {

bool Admission::has_place(Kind kind) const {
  if (taken_ >= places_) return false;
  if (kind == Kind::Stream) return taken_by_streams_ < places_ - reserve();
  return waiting_.empty() || taken_by_streams_ >= reserve();
}

Admission::Place Admission::take(Kind kind) {
  if (!has_place(kind)) return {};
  ++taken_;
  if (kind == Kind::Stream) ++taken_by_streams_;
  return {*this, kind};
}

void Admission::give_back(Kind kind) {
  --taken_;
  if (kind == Kind::Stream) --taken_by_streams_;
  if (waiting_.empty() || soon_.pending()) return;
  // Not here: whoever gives a place back may be in the middle of his own end.
  soon_.set(loop_.alarms(), Clock::now(), [this] { give_turns(); });
}

void Admission::give_turns() {
  // Those that line up again meanwhile have had theirs.
  for (std::size_t turns = waiting_.size(); turns > 0 && !waiting_.empty(); --turns) {
    if (!has_place(Kind::Stream)) return;
    turn_ = waiting_.front();
    waiting_.pop_front();
    turn_->waiting_ = false;
    turn_->on_turn_();
    turn_ = nullptr;
  }
  // Each had one turn, and there is still room.
  if (!waiting_.empty() && has_place(Kind::Stream)) {
    soon_.set(loop_.alarms(), Clock::now(), [this] { give_turns(); });
  }
}

bool Admission::Waiter::may_take() {
  if (waiting_) return false;
  const bool turn = admission_.turn_ == this;
  if (turn) admission_.turn_ = nullptr;  // for one request
  if (admission_.has_place(Kind::Stream) && (turn || admission_.waiting_.empty())) return true;
  waiting_ = true;
  admission_.waiting_.push_back(this);
  return false;
}

Admission::Waiter::~Waiter() {
  if (admission_.turn_ == this) admission_.turn_ = nullptr;
  if (waiting_) admission_.waiting_.remove(this);
}

}  // namespace flow::gateway
