// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/log.hpp"
#include "gateway/executors/ejections.hpp"
#include "gateway/executors/line.hpp"
#include "gateway/executors/replica.hpp"
#include "gateway/executors/retry_policy.hpp"
#include "gateway/net/loop.hpp"

namespace flow::gateway {

// Gives the calls to one executor to its replicas: which one takes the next, who waits until one
// can, which one is avoided, how many calls may be tried again. Confined to its loop.
class Balancer {
 public:
  struct Bounds {
    std::uint32_t max_in_flight = 0;  // of one replica
    std::int32_t retries = -1;        // of one call; -1: as many as replicas, at least 3
  };

  // Who takes the next call of a replica's place: itself, or a new process that is on trial there.
  using ForNextCall = std::function<Replica*(std::size_t index)>;

  // The replicas outlive it; one may be exchanged for another.
  Balancer(Loop& loop, core::Logger log, Bounds bounds,
           const std::vector<std::unique_ptr<Replica>>& replicas, ForNextCall for_next_call);

  // ---- choosing ---------------------------------------------------------------------------------

  // A connection on which a call has failed, and which it is not sent to again.
  struct Failed {
    const Replica* replica;
    std::uint64_t connection;
  };
  enum class Lack {
    None,
    Room,     // replicas are ready, and each has max_in_flight calls
    Replica,  // none is ready, but those that failed the call already
  };
  struct Choice {
    Replica* replica = nullptr;
    Lack lack = Lack::None;
  };
  enum class Bound { Kept, Ignored };  // max_in_flight
  // The ready replica with the fewest calls in flight, of those with the same number in turn.
  Choice choose(const std::vector<Failed>& failed, Bound bound, Clock::time_point now);
  // Until when it is worth waiting for a replica; nullopt: none that was ready a moment ago is on
  // its way back.
  std::optional<Clock::time_point> comeback(Clock::time_point now);

  // ---- calls ------------------------------------------------------------------------------------

  // One try of a call at a replica.
  struct Try {
    Replica* replica = nullptr;
    std::uint64_t connection = 0;
    std::int64_t pid = 0;  // 0: unknown
    bool trial = false;
    Clock::time_point started;
  };
  Try start(Replica& replica, Clock::time_point now);
  enum class End {
    Answered,
    Failed,   // by the replica's fault
    Excused,  // badly, but that says nothing of the replica, or is known otherwise: its connection
    Cancelled,  // by us, for a reason of ours
  };
  // `what` says how it failed.
  void end(const Try& over, End how, std::string_view what, Clock::time_point now);

  RetryBudget& budget() { return budget_; }
  std::uint32_t retries() const;  // that one call may have
  void count_retry() { ++retried_; }
  void count_refusal() { ++refused_; }

  // ---- waiting ----------------------------------------------------------------------------------

  // For a replica. A turn is worth asking choose() again.
  void wait(Line::Place& place, std::function<void()> on_turn);
  std::size_t waiting() const { return line_.size(); }
  // May one more wait whose caller is not held back? As many as the replicas may have in hand: then
  // who waits knows that everything before him is underway.
  bool line_has_room() const { return line_.size() < bounds_.max_in_flight * replicas_.size(); }
  // For what the supervisor says.
  Line& words() { return words_; }

  // A replica's status is another.
  void replicas_changed();
  // The supervisor said something.
  void word_came();

  std::uint64_t retried() const { return retried_; }
  std::uint64_t refused() const { return refused_; }

 private:
  // What was last seen of a replica.
  struct Seen {
    bool ready = false;
    const Replica* who = nullptr;
    std::uint64_t connection = 0;
    std::optional<Clock::time_point> lost;  // when it was ready last, or we began to look
  };

  // A process on trial in a replica's place has yet to show what it is worth, and its handover
  // judges that: ejections are about the one that holds the place.
  bool holds_place(const Replica& replica) const {
    return replicas_[replica.index()].get() == &replica;
  }
  Ejections::Standing standing(const Replica& replica, Clock::time_point now) const;
  void look(Clock::time_point now);
  bool has_room(const Replica& replica) const;
  bool any_ready() const;
  bool any_room() const;
  bool others_for(const Replica& replica, Clock::time_point now) const;
  void give_turns_soon();
  void let_in(Replica& replica, std::string_view why);

  Loop& loop_;
  core::Logger log_;
  const Bounds bounds_;
  const std::vector<std::unique_ptr<Replica>>& replicas_;
  const ForNextCall for_next_call_;
  std::vector<Seen> seen_;
  std::size_t turn_ = 0;  // breaks ties, so that equals take turns
  Ejections ejections_;
  RetryBudget budget_;
  Line line_;
  Line words_;
  std::uint64_t retried_ = 0;
  std::uint64_t refused_ = 0;
  Alarms::Alarm soon_;
};

}  // namespace flow::gateway
