// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/executors.hpp"

#include <algorithm>
#include <utility>

#include "core/status.hpp"
#include "gateway/executors/socket_dialer.hpp"
#include "gateway/route/graph.hpp"

namespace flow::gateway {

Executors::Executors(Loop& loop, const core::Logger& log, const core::FlowConfig& config,
                     std::function<void()> on_change)
    : Executors(loop, log, config, std::move(on_change), std::make_unique<SocketDialer>(loop)) {}

Executors::Executors(Loop& loop, const core::Logger& log, const core::FlowConfig& config,
                     std::function<void()> on_change, std::unique_ptr<Dialer> dialer)
    : loop_(loop),
      config_(config),
      on_change_(std::move(on_change)),
      log_(log),
      dialer_(std::move(dialer)) {
  replicas_.reserve(config.executors.size());  // balancers look into it
  for (const core::ExecutorConfig* executor : chain(config)) {
    names_.push_back(executor->name);
    auto& replicas = replicas_.emplace_back();
    auto& idempotent = idempotent_.emplace_back();
    for (const core::PlacedText& endpoint : executor->idempotent) idempotent.insert(endpoint.text);
    for (std::uint32_t index = 0; index < executor->replicas; ++index) {
      replicas.push_back(make_replica({names_.size() - 1, index}));
    }
    balancers_.push_back(std::make_unique<Balancer>(
        loop, log,
        Balancer::Bounds{executor->max_in_flight.value_or(config.gateway.max_in_flight),
                         config.gateway.retries},
        replicas, [this, executor = names_.size() - 1](std::size_t index) {
          return for_next_call({executor, static_cast<std::uint32_t>(index)});
        }));
  }
}

std::unique_ptr<Replica> Executors::make_replica(Place place) {
  const auto& [executor, index] = place;
  return std::make_unique<Replica>(
      loop_, *dialer_, log_,
      Replica::Options{names_[executor], index, config_.health, config_.gateway.max_message},
      [this, place] { on_replica_changed(place); },
      [this, executor](const jina::EndpointsProto& discovered) {
        endpoints_.set(executor, names_[executor], discovered);
      });
}

void Executors::on_replica_changed(Place place) {
  if (const auto handover = handovers_.find(place); handover != handovers_.end()) {
    handover->second->look_soon();
  }
  // The first changes come before there is a balancer.
  if (place.first < balancers_.size()) balancers_[place.first]->replicas_changed();
  on_change_();
}

void Executors::update(const flow::v1::ReplicaUpdate& update) {
  const auto name = std::ranges::find(names_, update.executor());
  const auto executor = static_cast<std::size_t>(name - names_.begin());
  if (name == names_.end() || update.replica() >= replicas_[executor].size()) {
    log_->warn("flow-host told of {}/rep-{}, which {} does not have", update.executor(),
               update.replica(), "the configuration file");
    return;
  }
  const Place place{executor, update.replica()};
  const auto known = handovers_.find(place);
  if (known != handovers_.end() && known->second->pid() != update.successor().pid()) {
    end_handover(place, update.pid());
  }
  Replica& replica = *replicas_[executor][update.replica()];
  if (!update.has_successor()) {
    replica.update(update);
    return balancers_[executor]->word_came();
  }
  Handover& handover = begin_handover(place, update.successor());
  flow::v1::ReplicaUpdate of_successor = update;
  of_successor.set_pid(update.successor().pid());
  of_successor.set_unix_path(update.successor().unix_path());
  of_successor.set_state(flow::v1::READY);
  replica.update(handover.moved() ? of_successor : update);
  handover.other().update(handover.moved() ? update : of_successor);
  balancers_[executor]->word_came();
}

// ---- a new process beside the one that serves ---------------------------------------------------

Handover& Executors::begin_handover(Place place, const flow::v1::Successor& successor) {
  std::unique_ptr<Handover>& handover = handovers_[place];
  if (handover) return *handover;
  std::unique_ptr<Replica> replica = make_replica(place);
  replica->set_quiet(true);
  handover = std::make_unique<Handover>(
      loop_, std::move(replica), successor.pid(),
      [this, place](const absl::Status& outcome) { on_decided(place, outcome); });
  return *handover;
}

void Executors::on_decided(Place place, const absl::Status& outcome) {
  Handover& handover = *handovers_.at(place);
  const std::string name = handover.other().view().name;
  if (outcome.ok()) {
    exchange(place, handover);
    log_->info("{}: process {} has all calls now", name, handover.pid());
  } else {
    log_->warn("{}: process {} gets no calls: {}", name, handover.pid(), core::message(outcome));
  }
  // Whoever does not have the calls may be told to stop by this: not before it has all that was
  // sent to it.
  handover.settle([this, name, pid = handover.pid(), outcome] { report_({name, pid, outcome}); });
}

void Executors::end_handover(Place place, std::int64_t pid) {
  const std::unique_ptr<Handover> handover = std::move(handovers_.at(place));
  handovers_.erase(place);
  if (handover->moved() != (pid == handover->pid())) exchange(place, *handover);
  handover->other().release();
  released_.push_back(handover->take_other());
}

void Executors::exchange(Place place, Handover& handover) {
  std::unique_ptr<Replica>& replica = replicas_[place.first][place.second];
  handover.exchange(replica);
  handover.other().set_quiet(true);
  replica->set_quiet(false);
  if (handover.moved()) replica->stats().take_over(handover.other().stats());
  balancers_[place.first]->replicas_changed();
  on_change_();
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

Replica* Executors::for_next_call(Place place) {
  Replica* replica = replicas_[place.first][place.second].get();
  const auto handover = handovers_.find(place);
  if (handover == handovers_.end()) return replica;
  Replica* on_trial = handover->second->for_next_call(replica->ready() ? Handover::Rival::Ready
                                                                       : Handover::Rival::None);
  return on_trial == nullptr ? replica : on_trial;
}

void Executors::sweep(Clock::time_point now) {
  for (const auto& replicas : replicas_) {
    for (const auto& replica : replicas) replica->sweep(now);
  }
  for (const auto& [place, handover] : handovers_) handover->other().sweep(now);
  std::erase_if(released_, [](const auto& replica) { return replica->in_flight() == 0; });
  for (const auto& replica : released_) replica->sweep(now);
}

}  // namespace flow::gateway
