// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/liveness.hpp"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

namespace flow::gateway {

using core::ReplicaState;

Liveness::Liveness(const core::HealthConfig& config, Now now) : config_(config) {
  status_ = {ReplicaState::Starting, now.wall, "nothing was heard of it yet", 0};
}

void Liveness::supervised(const ReplicaStatus& word, Now now) {
  // Its own word on the last process says nothing about the next one.
  if (word_ && word_->pid != word.pid) disconnect_reason_.clear();
  word_ = word;
  status_.pid = word.pid;
  update(now);
}

void Liveness::connected(Now now) {
  connected_ = true;
  health_.reset();
  overdue_ = false;
  overdue_at_.reset();
  next_heartbeat_ = now.steady;
  update(now);
}

void Liveness::disconnected(const std::string& why, Now now) {
  connected_ = false;
  health_.reset();
  overdue_ = false;
  overdue_at_.reset();
  disconnect_reason_ = why;
  update(now);
}

void Liveness::health(Health health, Now now) {
  health_ = health;
  update(now);
}

void Liveness::heard(Now now) {
  overdue_at_.reset();
  if (!std::exchange(overdue_, false)) return;
  update(now);
}

bool Liveness::tick(Now now) {
  if (!connected_) return false;
  if (overdue_at_ && now.steady >= *overdue_at_ && !overdue_) {
    overdue_ = true;
    update(now);
  }
  if (now.steady < next_heartbeat_) return false;
  next_heartbeat_ = now.steady + config_.heartbeat_interval;
  // One question at a time: while it is not answered the first one's time counts.
  if (overdue_at_) return false;
  overdue_at_ = now.steady + config_.heartbeat_timeout;
  return true;
}

std::optional<Clock::time_point> Liveness::next_tick() const {
  if (!connected_) return std::nullopt;
  if (overdue_at_ && !overdue_) return std::min(next_heartbeat_, *overdue_at_);
  return next_heartbeat_;
}

bool Liveness::worth_connecting() const {
  if (connected_ || !word_) return !connected_;
  return word_->state == ReplicaState::Ready || word_->state == ReplicaState::Unhealthy ||
         word_->state == ReplicaState::Hung;
}

void Liveness::update(Now now) {
  const auto says = [&](ReplicaState state) { return word_ && word_->state == state; };
  // The supervisor's word counts where it saw more than we can: a process that is dead, leaving,
  // new (then our connection is to the one before), or known not to serve.
  if (says(ReplicaState::Draining) || says(ReplicaState::Backoff) || says(ReplicaState::Failed) ||
      says(ReplicaState::Hung) || says(ReplicaState::Unhealthy) || says(ReplicaState::Starting)) {
    return become(word_->state, word_->reason, now);
  }
  if (!connected_) {
    if (disconnect_reason_.empty()) return become(ReplicaState::Starting, "connecting to it", now);
    return become(ReplicaState::Unreachable, disconnect_reason_, now);
  }
  if (overdue_) {
    return become(ReplicaState::Hung,
                  fmt::format("no answer to a heartbeat for {} ms; is the process stopped?",
                              config_.heartbeat_timeout / std::chrono::milliseconds(1)),
                  now);
  }
  if (!health_) return become(ReplicaState::Starting, "connected, asking for its health", now);
  if (*health_ == Health::NotServing) {
    return become(ReplicaState::Unhealthy, "its health service answers NOT_SERVING", now);
  }
  const bool noted = word_ && !word_->note.empty();
  become(ReplicaState::Ready, noted ? "serving; " + word_->note : "serving", now);
}

void Liveness::become(ReplicaState state, std::string reason, Now now) {
  // Where its last crash or hang was explains what the supervisor says; beside what was seen here
  // since then it would pass for the place where this process is now.
  status_.stacks = word_ && word_->state == state ? word_->stacks : std::vector<std::string>();
  if (status_.state == state && status_.reason == reason) return;
  // A better reason does not restart the clock of a state.
  if (status_.state != state) status_.since = now.wall;
  status_.state = state;
  status_.reason = std::move(reason);
}

}  // namespace flow::gateway
