// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/executors.hpp"

#include <algorithm>
#include <utility>

#include "core/status.hpp"
#include "gateway/route/graph.hpp"

namespace flow::gateway {

Executors::Executors(Loop& loop, const core::Logger& log, const core::FlowConfig& config,
                     std::function<void()> on_change)
    : log_(log), deaths_(loop.io()) {
  for (const core::ExecutorConfig* executor : chain(config)) {
    names_.push_back(executor->name);
    auto& replicas = replicas_.emplace_back();
    auto& idempotent = idempotent_.emplace_back();
    for (const core::PlacedText& endpoint : executor->idempotent) idempotent.insert(endpoint.text);
    for (std::uint32_t index = 0; index < executor->replicas; ++index) {
      replicas.push_back(std::make_unique<Replica>(
          loop, deaths_, log,
          Replica::Options{executor->name, index, config.health, config.gateway.max_message},
          [this, on_change, position = names_.size() - 1] {
            balancers_[position]->replicas_changed();
            on_change();
          },
          [this, position = names_.size() - 1](const jina::EndpointsProto& discovered) {
            endpoints_.set(position, names_[position], discovered);
          }));
    }
    balancers_.push_back(std::make_unique<Balancer>(
        loop, log,
        Balancer::Bounds{executor->max_in_flight.value_or(config.gateway.max_in_flight),
                         config.gateway.retries},
        replicas));
  }
}

void Executors::update(const flow::v1::ReplicaUpdate& update) {
  const auto name = std::ranges::find(names_, update.executor());
  const auto executor = static_cast<std::size_t>(name - names_.begin());
  if (name == names_.end() || update.replica() >= replicas_[executor].size()) {
    log_->warn("flow-host told of {}/rep-{}, which {} does not have", update.executor(),
               update.replica(), "the configuration file");
    return;
  }
  replicas_[executor][update.replica()]->update(update);
  balancers_[executor]->word_came();
}

absl::Status Executors::use_configured_addresses(const core::FlowConfig& config) {
  for (const core::ExecutorConfig& executor : config.executors) {
    if (executor.port == 0) {
      return core::error(
          absl::StatusCode::kInvalidArgument,
          core::at_location(config, executor.at,
                            fmt::format("executor \"{}\" has no port: a gateway that is started "
                                        "by itself needs one to find it",
                                        executor.name)));
    }
    const auto position = std::ranges::find(names_, executor.name) - names_.begin();
    for (const auto& replica : replicas_[static_cast<std::size_t>(position)]) {
      const auto index = static_cast<std::uint16_t>(
          &replica - replicas_[static_cast<std::size_t>(position)].data());
      const core::NetAddress address{.host = executor.host,
                                     .port = static_cast<std::uint16_t>(executor.port + index)};
      replica->set_address(core::format_address(address), address);
    }
  }
  return absl::OkStatus();
}

ExecutorView Executors::view_of(std::size_t executor) const {
  ExecutorView view{names_[executor], {}};
  for (const auto& replica : replicas_[executor]) view.replicas.push_back(replica->view());
  return view;
}

FlowView Executors::view(bool draining) const {
  FlowView flow{{}, draining};
  for (std::size_t executor = 0; executor < names_.size(); ++executor) {
    flow.executors.push_back(view_of(executor));
  }
  return flow;
}

bool Executors::idempotent(std::size_t executor, std::string_view endpoint) const {
  const auto& said = idempotent_[executor];
  if (said.empty() && !endpoints_.any_idempotent()) return false;  // so it is almost always
  if (said.contains("*") || said.contains(endpoint)) return true;
  const std::string_view taken_by = endpoints_.taken_by(executor, endpoint);
  return said.contains(taken_by) || endpoints_.idempotent(executor, taken_by);
}

void Executors::sweep(Clock::time_point now) {
  for (const auto& replicas : replicas_) {
    for (const auto& replica : replicas) replica->sweep(now);
  }
}

}  // namespace flow::gateway
