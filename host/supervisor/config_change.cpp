// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/config_change.hpp"

#include <algorithm>
#include <tuple>
#include <type_traits>
#include <variant>

#include "fmt/format.h"

namespace flow::host {
namespace {

using core::Value;

bool same(const Value& a, const Value& b) {
  if (a.data.index() != b.data.index()) return false;
  return std::visit(
      [&b]<typename T>(const T& x) {
        const T& y = std::get<T>(b.data);
        if constexpr (std::is_same_v<T, Value::List>) {
          return std::ranges::equal(x, y, same);
        } else if constexpr (std::is_same_v<T, Value::Map>) {
          return std::ranges::equal(x, y, [](const Value::Entry& i, const Value::Entry& j) {
            return i.key == j.key && same(i.value, j.value);
          });
        } else {
          return x == y;
        }
      },
      a.data);
}

// A new process of an executor reads these; nobody else does.
auto faults(const core::FaultConfig& of) {
  return std::tie(of.seed, of.delay, of.delay_for, of.error, of.crash, of.signal, of.exit,
                  of.exit_status, of.spin, of.deadlock, of.slow_start, of.grow);
}

bool same_process(const core::ExecutorConfig& a, const core::ExecutorConfig& b) {
  return a.uses == b.uses && same(a.uses_with, b.uses_with) && a.env == b.env &&
         a.limits == b.limits && a.timeout_ready == b.timeout_ready &&
         a.hang_budget == b.hang_budget && faults(a.fault) == faults(b.fault);
}

// What the gateway and the supervisor have arranged themselves by.
bool same_place(const core::ExecutorConfig& a, const core::ExecutorConfig& b) {
  return a.host == b.host && a.port == b.port && a.replicas == b.replicas && a.needs == b.needs &&
         a.process == b.process && a.max_in_flight == b.max_in_flight &&
         std::ranges::equal(a.idempotent, b.idempotent, {}, &core::PlacedText::text,
                            &core::PlacedText::text);
}

// Places in the file move with every edit.
core::GatewayConfig without_places(core::GatewayConfig gateway) {
  gateway.port_at = {};
  if (gateway.tls) {
    gateway.tls->certificate_at = gateway.tls->key_at = gateway.tls->client_ca_at = {};
  }
  return gateway;
}

core::SuperviseConfig without_restarts(core::SuperviseConfig supervise) {
  const core::SuperviseConfig defaults;
  supervise.restart = defaults.restart;
  supervise.restarts = defaults.restarts;
  supervise.restart_window = defaults.restart_window;
  supervise.backoff_first = defaults.backoff_first;
  supervise.backoff_last = defaults.backoff_last;
  return supervise;
}

bool same_names(const core::FlowConfig& before, const core::FlowConfig& after) {
  return std::ranges::equal(before.executors, after.executors, {}, &core::ExecutorConfig::name,
                            &core::ExecutorConfig::name);
}

}  // namespace

ConfigChange compare_configs(const core::FlowConfig& before, const core::FlowConfig& after) {
  ConfigChange change;
  const auto refuse_if = [&](bool changed, std::string_view what) {
    if (changed) change.refused.push_back(fmt::format("{} cannot change while it runs", what));
  };
  refuse_if(before.name != after.name, "the name of the Flow");
  refuse_if(before.plugins != after.plugins, "plugins (the folders)");
  refuse_if(without_places(before.gateway) != without_places(after.gateway), "[gateway]");
  refuse_if(before.health != after.health, "[health]");
  refuse_if(before.log != after.log, "[log]");
  refuse_if(without_restarts(before.supervise) != without_restarts(after.supervise),
            "lame_duck, drain_timeout and crash_reports of [supervise]");
  change.supervise = before.supervise != after.supervise;
  if (!same_names(before, after)) {
    refuse_if(true, "which executors there are, in which order,");
    return change;
  }
  for (std::size_t i = 0; i < before.executors.size(); ++i) {
    const core::ExecutorConfig& was = before.executors[i];
    const core::ExecutorConfig& is = after.executors[i];
    refuse_if(!same_place(was, is),
              fmt::format("of executor \"{}\" host, port, replicas, needs, process, "
                          "max_in_flight and idempotent",
                          is.name));
    if (!same_process(was, is)) change.executors.push_back(i);
  }
  return change;
}

}  // namespace flow::host
