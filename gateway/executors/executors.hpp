// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.hpp"
#include "core/log.hpp"
#include "gateway/executors/balancer.hpp"
#include "gateway/executors/death_watch.hpp"
#include "gateway/executors/endpoints.hpp"
#include "gateway/executors/replica.hpp"
#include "gateway/readiness/verdict.hpp"

namespace flow::gateway {

// All executors of the Flow with their replicas, in the order of the graph. Confined to its loop.
class Executors {
 public:
  // `on_change` is called after each change that view() would show.
  Executors(Loop& loop, const core::Logger& log, const core::FlowConfig& config,
            std::function<void()> on_change);

  // What a supervisor says; one about a replica that the file does not have is logged and ignored.
  void update(const flow::v1::ReplicaUpdate& update);
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
  core::Logger log_;
  std::vector<std::string> names_;
  Endpoints endpoints_;
  DeathWatch deaths_;
  std::vector<std::unique_ptr<Balancer>> balancers_;  // by executor, as what follows
  std::vector<std::vector<std::unique_ptr<Replica>>> replicas_;
  std::vector<std::set<std::string, std::less<>>> idempotent_;  // as the file says
};

}  // namespace flow::gateway
