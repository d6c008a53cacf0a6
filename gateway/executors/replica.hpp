// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/log.hpp"
#include "core/net_address.hpp"
#include "flow/v1/control.pb.h"
#include "gateway/executors/call_stats.hpp"
#include "gateway/executors/link.hpp"
#include "gateway/executors/liveness.hpp"
#include "gateway/http2/client_session.hpp"
#include "gateway/net/loop.hpp"
#include "gateway/readiness/verdict.hpp"
#include "jina.pb.h"

namespace flow::gateway {

// How one of a replica's processes ended, by its supervisor.
struct ProcessEnd {
  std::int64_t pid = 0;
  std::string cause;
  std::vector<std::string> stacks;  // of its crash or hang
};

// One executor replica: the multiplexed connection to it, kept up while there is somebody to talk
// to, and the performing of what Liveness decides. Confined to its loop.
class Replica {
 public:
  struct Options {
    std::string executor;
    std::uint32_t index = 0;
    core::HealthConfig health;
    std::uint64_t message_max = 0;
  };

  using OnDiscovered = std::function<void(const jina::EndpointsProto&)>;

  // `on_change` is called after each change of its status, `on_discovered` whenever it has said
  // what it serves.
  Replica(Loop& loop, Dialer& dialer, core::Logger log, Options options,
          std::function<void()> on_change, OnDiscovered on_discovered);
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;
  ~Replica();

  // Where it listens, as messages name it, and where to dial it.
  void set_address(const std::string& name, const core::NetAddress& dial);
  // What the supervisor says of it.
  void update(const flow::v1::ReplicaUpdate& update);

  // A quiet one says nothing to the log and nothing of its endpoints: another has its place.
  void set_quiet(bool quiet);
  // On trial its answers are looked at: errors count against it, and are not yet the last word.
  void set_on_trial(bool on_trial) { on_trial_ = on_trial; }
  bool on_trial() const { return on_trial_; }
  // What it said last that it serves; nullopt: nothing yet.
  const std::optional<jina::EndpointsProto>& discovered() const { return discovered_; }
  // It gets no more calls: what is in flight ends, then the connection, for good.
  void release();

  bool ready() const { return liveness_.ready() && session_ != nullptr && session_->takes_calls(); }
  // Not ready, but by what is known on its way to be: without a supervisor nobody knows.
  bool coming_back() const;
  bool supervised() const { return supervised_; }
  std::uint32_t index() const { return options_.index; }
  std::int64_t pid() const { return liveness_.status().pid; }
  // Another number for each connection.
  std::uint64_t connection() const { return connections_; }
  // What the supervisor said of the end of one of its last processes; nullptr: nothing.
  const ProcessEnd* end_of(std::int64_t pid) const;
  // Takes the place of the reason while it is ready; empty: nothing special.
  void set_note(std::string note);
  ReplicaView view() const;
  std::size_t in_flight() const { return in_flight_; }
  // Requires ready(). As Http2ClientSession::call.
  void call(ClientCall& call, std::string_view path, std::string framed,
            std::optional<std::chrono::nanoseconds> timeout);
  // The caller says when a call that it started is over, so that load is counted.
  void call_started() { ++in_flight_; }
  void call_ended() { --in_flight_; }
  CallStats& stats() { return stats_; }
  const CallStats& stats() const { return stats_; }

  void sweep(Clock::time_point now);

 private:
  class DiscoverCall;
  class WatchCall;

  static Now now();
  void remember(const flow::v1::EndedProcess& ended);
  void connect_soon(Clock::duration delay);
  void connect();
  std::unique_ptr<Session> on_connected(OutputSignal& output);
  void on_disconnected(const Link::End& end);
  // The connection takes no more calls: it ends with the last one that it has, then we dial again.
  void retire();
  void on_discovered(const jina::EndpointsProto& endpoints);
  void tick();
  void changed();

  Loop& loop_;
  Dialer& dialer_;
  core::Logger log_;
  const Options options_;
  const std::string name_;
  std::function<void()> on_change_;
  OnDiscovered on_discovered_;
  std::string address_name_;
  core::NetAddress dial_;
  Liveness liveness_;
  ReplicaStatus published_;
  std::string note_;
  bool supervised_ = false;
  std::deque<ProcessEnd> ends_;  // of its last processes, bounded
  std::uint64_t connections_ = 0;
  bool quiet_ = false;
  bool on_trial_ = false;
  bool released_ = false;
  std::optional<jina::EndpointsProto> discovered_;
  std::size_t in_flight_ = 0;
  CallStats stats_{Clock::now()};

  std::unique_ptr<Link> link_;
  Http2ClientSession* session_ = nullptr;  // link_'s, once it stands
  std::unique_ptr<DiscoverCall> discover_;
  std::unique_ptr<WatchCall> watch_;
  Alarms::Alarm connect_alarm_;
  Alarms::Alarm tick_alarm_;
};

}  // namespace flow::gateway
