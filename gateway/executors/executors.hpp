// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config.hpp"
#include "core/log.hpp"
#include "gateway/executors/balancer.hpp"
#include "gateway/executors/endpoints.hpp"
#include "gateway/executors/handover.hpp"
#include "gateway/executors/link.hpp"
#include "gateway/executors/replica.hpp"
#include "gateway/readiness/verdict.hpp"

namespace flow::gateway {

// All executors of the Flow with their replicas, in the order of the graph. Confined to its loop.
class Executors {
 public:
  // `on_change` is called after each change that view() would show.
  Executors(Loop& loop, const core::Logger& log, const core::FlowConfig& config,
            std::function<void()> on_change);
  // Over other links than sockets.
  Executors(Loop& loop, const core::Logger& log, const core::FlowConfig& config,
            std::function<void()> on_change, std::unique_ptr<Dialer> dialer);

  // What a supervisor says; one about a replica that the file does not have is logged and ignored.
  void update(const flow::v1::ReplicaUpdate& update);
  // The gateway's word on a process that was to take over from another.
  struct HandoverReport {
    std::string replica;   // "executor0/rep-0"
    std::int64_t pid = 0;  // the new process
    absl::Status outcome;  // OK: it has all calls; an error: none, and why
  };
  void on_handover(std::function<void(const HandoverReport&)> report) {
    report_ = std::move(report);
  }
  // Without a supervisor: dial what the file says. An error if it gives an executor no port.
  absl::Status use_configured_addresses(const core::FlowConfig& config);

  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::unique_ptr<Replica>>& replicas(std::size_t executor) const {
    return replicas_[executor];
  }
  FlowView view(bool draining) const;
  ExecutorView view_of(std::size_t executor) const;
  // What they have said that they serve.
  const Endpoints& endpoints() const { return endpoints_; }
  // Who gives its calls to its replicas.
  Balancer& balancer(std::size_t executor) { return *balancers_[executor]; }
  const Balancer& balancer(std::size_t executor) const { return *balancers_[executor]; }
  // May a request for this endpoint run twice, by its plugin's word or by the file's?
  bool idempotent(std::size_t executor, std::string_view endpoint) const;

  void sweep(Clock::time_point now);

 private:
  using Place = std::pair<std::size_t, std::uint32_t>;  // executor, replica

  std::unique_ptr<Replica> make_replica(Place place);
  void on_replica_changed(Place place);
  Handover& begin_handover(Place place, const flow::v1::Successor& successor);
  void on_decided(Place place, const absl::Status& outcome);
  // The supervisor says whose the place is.
  void end_handover(Place place, std::int64_t pid);
  void exchange(Place place, Handover& handover);
  Replica* for_next_call(Place place);

  Loop& loop_;
  const core::FlowConfig& config_;
  const std::function<void()> on_change_;
  std::function<void(const HandoverReport&)> report_ = [](const HandoverReport&) {};
  core::Logger log_;
  std::vector<std::string> names_;
  Endpoints endpoints_;
  const std::unique_ptr<Dialer> dialer_;
  std::vector<std::unique_ptr<Balancer>> balancers_;  // by executor, as what follows
  std::vector<std::vector<std::unique_ptr<Replica>>> replicas_;
  std::vector<std::set<std::string, std::less<>>> idempotent_;  // as the file says
  std::map<Place, std::unique_ptr<Handover>> handovers_;
  std::vector<std::unique_ptr<Replica>> released_;  // until their last call is over
};

}  // namespace flow::gateway
