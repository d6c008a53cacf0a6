// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/replica.hpp"
#include "gateway/net/loop.hpp"

// What the gateway makes of one executor replica: a machine that is told what happens, with times,
// and knows no socket, timer or clock.
namespace flow::gateway {

// A moment on both clocks: one to reckon with, one to tell people.
struct Now {
  Clock::time_point steady;
  std::chrono::system_clock::time_point wall;
};

// Where a replica stands, and why.
struct ReplicaStatus {
  core::ReplicaState state = core::ReplicaState::Starting;
  std::chrono::system_clock::time_point since;
  std::string reason;    // a sentence for people, without a full stop
  std::int64_t pid = 0;  // 0: unknown
  // The supervisor's: what is known of its last crash or hang, a line each. Empty where the gateway
  // says something else than the supervisor, which they would not explain.
  std::vector<std::string> stacks{};
  std::string note = {};  // what the supervisor adds while it serves, or empty

  bool operator==(const ReplicaStatus&) const = default;
};

// Invariant: Ready only while the connection stands, the replica's last word on its health was
// SERVING, no heartbeat is overdue, and the supervisor, if there is one, does not say otherwise.
// Confined to its loop.
class Liveness {
 public:
  Liveness(const core::HealthConfig& config, Now now);

  // ---- what happens --------------------------------------------------------------------------

  // The supervisor's word. It knows causes that a connection cannot: signals, restarts, budgets.
  void supervised(const ReplicaStatus& word, Now now);
  void connected(Now now);
  void disconnected(const std::string& why, Now now);
  enum class Health { Serving, NotServing };
  void health(Health health, Now now);
  // The replica sent something: it is not stopped.
  void heard(Now now);
  // Time passed; true if a heartbeat is to be sent now.
  bool tick(Now now);

  // ---- what follows --------------------------------------------------------------------------

  const ReplicaStatus& status() const { return status_; }
  bool ready() const { return status_.state == core::ReplicaState::Ready; }
  // Is there, or may there be, a process to connect to?
  bool worth_connecting() const;
  // When tick() is to be called next; nullopt: not before something else happens.
  std::optional<Clock::time_point> next_tick() const;

 private:
  void update(Now now);
  void become(core::ReplicaState state, std::string reason, Now now);

  core::HealthConfig config_;
  std::optional<ReplicaStatus> word_;
  bool connected_ = false;
  std::string disconnect_reason_;
  std::optional<Health> health_;
  Clock::time_point next_heartbeat_;
  std::optional<Clock::time_point> overdue_at_;  // of the heartbeat that is not answered yet
  bool overdue_ = false;
  ReplicaStatus status_;
};

}  // namespace flow::gateway
