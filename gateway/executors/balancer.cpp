// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/balancer.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"
#include "core/time_text.hpp"

namespace flow::gateway {

namespace limits = core::limits;
using Standing = Ejections::Standing;

Balancer::Balancer(Loop& loop, core::Logger log, Bounds bounds,
                   const std::vector<std::unique_ptr<Replica>>& replicas, ForNextCall for_next_call)
    : loop_(loop),
      log_(std::move(log)),
      bounds_(bounds),
      replicas_(replicas),
      for_next_call_(std::move(for_next_call)),
      seen_(replicas.size()),
      ejections_(replicas.size()) {
  // Who takes over from a gateway that died has callers before it has connections: its replicas
  // count as lost just now, not as never seen.
  for (Seen& seen : seen_) seen.lost = Clock::now();
}

// ---- choosing -----------------------------------------------------------------------------------

bool Balancer::has_room(const Replica& replica) const {
  return replica.in_flight() < bounds_.max_in_flight;
}

Standing Balancer::standing(const Replica& replica, Clock::time_point now) const {
  if (!ejections_.any() || !holds_place(replica)) return Standing::In;
  return ejections_.standing(replica.index(), now);
}

Balancer::Choice Balancer::choose(const std::vector<Failed>& failed, Bound bound,
                                  Clock::time_point now) {
  Replica* best = nullptr;
  Replica* full = nullptr;
  Replica* out = nullptr;  // ejected: for want of others
  bool any_in = false;
  const auto has_failed_it = [&](const Replica& replica) {
    return std::ranges::any_of(failed, [&](const Failed& one) {
      return one.replica == &replica && one.connection == replica.connection();
    });
  };
  const std::size_t turn = ++turn_;
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    const std::size_t index = (i + turn) % replicas_.size();
    Replica* its_turn = for_next_call_(index);
    // A process on trial that has failed a call leaves it to the one that it is to replace.
    if (has_failed_it(*its_turn)) its_turn = replicas_[index].get();
    Replica& replica = *its_turn;
    if (!replica.ready()) continue;
    const Standing standing = this->standing(replica, now);
    any_in = any_in || standing == Standing::In;
    if (has_failed_it(replica)) continue;
    if (bound == Bound::Kept && !has_room(replica)) {
      full = &replica;
    } else if (standing == Standing::Trial) {
      return {&replica, Lack::None};
    } else if (standing == Standing::Out) {
      out = &replica;
    } else if (best == nullptr || replica.in_flight() < best->in_flight()) {
      best = &replica;
    }
  }
  if (best != nullptr) return {best, Lack::None};
  if (full != nullptr) return {nullptr, Lack::Room};
  if (out == nullptr) return {nullptr, Lack::Replica};
  if (!any_in) let_in(*out, "no other replica is ready");
  return {out, Lack::None};
}

void Balancer::look(Clock::time_point now) {
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    const Replica& replica = *replicas_[i];
    Seen& seen = seen_[i];
    if (std::exchange(seen.ready, replica.ready()) && !seen.ready) seen.lost = now;
  }
}

std::optional<Clock::time_point> Balancer::comeback(Clock::time_point now) {
  look(now);
  std::optional<Clock::time_point> until;
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    const Seen& seen = seen_[i];
    if (seen.ready || !seen.lost || !replicas_[i]->coming_back()) continue;
    const Clock::time_point patience = *seen.lost + limits::kComebackWait;
    if (patience > now) until = std::max(until.value_or(patience), patience);
  }
  return until;
}

// ---- calls --------------------------------------------------------------------------------------

Balancer::Try Balancer::start(Replica& replica, Clock::time_point now) {
  replica.call_started();
  const bool trial =
      ejections_.any() && holds_place(replica) && ejections_.call_started(replica.index(), now);
  return {&replica, replica.connection(), replica.pid(), trial, now};
}

void Balancer::end(const Try& over, End how, std::string_view what, Clock::time_point now) {
  Replica& replica = *over.replica;
  replica.call_ended();
  if (!line_.empty()) give_turns_soon();
  if (how != End::Cancelled) {
    replica.stats().record(
        over.started, now,
        how == End::Answered ? CallStats::Outcome::Answered : CallStats::Outcome::Failed);
  }
  if (!holds_place(replica)) return;
  if (how == End::Cancelled || how == End::Excused) {
    ejections_.abandoned(replica.index(), over.trial);
  } else if (how == End::Answered) {
    if (ejections_.succeeded(replica.index(), now, over.trial)) {
      log_->info("{} is used again: its trial call was answered", replica.view().name);
      replica.set_note("");
    }
  } else if (const auto ejected = ejections_.failed(replica.index(), now, over.trial,
                                                    others_for(replica, now), what)) {
    const auto until =
        Clock::wall() + std::chrono::duration_cast<std::chrono::milliseconds>(ejected->length);
    const std::string note =
        fmt::format("ejected until {}: {}", core::utc_text(until), ejected->why);
    log_->warn("{} is {}", replica.view().name, note);
    replica.set_note(note);
  }
}

bool Balancer::others_for(const Replica& replica, Clock::time_point now) const {
  return std::ranges::any_of(replicas_, [&](const std::unique_ptr<Replica>& other) {
    return other->index() != replica.index() && other->ready() &&
           standing(*other, now) == Standing::In;
  });
}

void Balancer::let_in(Replica& replica, std::string_view why) {
  if (ejections_.let_in(replica.index())) {
    log_->info("{} is used again: {}", replica.view().name, why);
  }
  // Even so: it may have been ejected when it held the place before.
  replica.set_note("");
}

std::uint32_t Balancer::retries() const {
  if (bounds_.retries >= 0) return static_cast<std::uint32_t>(bounds_.retries);
  return std::max<std::uint32_t>(3, static_cast<std::uint32_t>(replicas_.size()));
}

// ---- waiting ------------------------------------------------------------------------------------

bool Balancer::any_ready() const {
  return std::ranges::any_of(replicas_, [](const auto& replica) { return replica->ready(); });
}

bool Balancer::any_room() const {
  return std::ranges::any_of(
      replicas_, [this](const auto& replica) { return replica->ready() && has_room(*replica); });
}

void Balancer::wait(Line::Place& place, std::function<void()> on_turn) {
  line_.join(place, std::move(on_turn));
  // Those before may not be able to use what there is.
  if (any_room()) give_turns_soon();
}

void Balancer::replicas_changed() {
  look(Clock::now());
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    Replica& replica = *replicas_[i];
    Seen& seen = seen_[i];
    if (seen.who == &replica && seen.connection == replica.connection()) continue;
    seen.who = &replica;
    seen.connection = replica.connection();
    let_in(replica, "it is connected anew");
  }
  if (!line_.empty()) give_turns_soon();
}

void Balancer::word_came() {
  words_.give_turns([] { return true; });
  // What they wait for may not come any more.
  if (!line_.empty()) give_turns_soon();
}

void Balancer::give_turns_soon() {
  if (soon_.pending()) return;
  // Not here: this may be in the middle of some call's end.
  soon_.set(loop_.alarms(), Clock::now(), [this] {
    // If none is ready they look whether one is still on its way.
    line_.give_turns([this] { return any_room() || !any_ready(); });
  });
}

}  // namespace flow::gateway
