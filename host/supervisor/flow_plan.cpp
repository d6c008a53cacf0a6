// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/flow_plan.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "host/crash/crash_folder.hpp"

namespace flow::host {
namespace {

// The gateway reads a file and binds a port; half a minute means that it never will.
constexpr std::chrono::seconds kGatewayTimeoutReady{30};

// What a service manager means for the process that it starts alone. By their full names:
// a person's LISTEN_ADDRESS is for everybody who reads the file.
constexpr std::array<std::string_view, 8> kForUsAlone = {
    "NOTIFY_SOCKET", "WATCHDOG_USEC",  "WATCHDOG_PID",   "LISTEN_FDS",
    "LISTEN_PID",    "LISTEN_FDNAMES", "LISTEN_PIDFDID", "FLOW_CONTROL_FD"};

// The length of the longest way from the gateway to each executor.
std::vector<std::size_t> depths(const core::FlowConfig& config) {
  const std::size_t count = config.executors.size();
  std::map<std::string_view, std::size_t> place;
  for (std::size_t i = 0; i < count; ++i) place[config.executors[i].name] = i;
  std::vector<std::size_t> depth(count, 0);
  // The longest way has fewer than `count` edges, so this many rounds settle all of them.
  for (std::size_t round = 0; round < count; ++round) {
    for (std::size_t i = 0; i < count; ++i) {
      for (const std::string& need : config.executors[i].needs) {
        const auto found = place.find(need);
        if (found != place.end()) depth[i] = std::max(depth[i], depth[found->second] + 1);
      }
    }
  }
  return depth;
}

}  // namespace

FlowPlan plan_flow(const core::FlowConfig& config) {
  FlowPlan plan;
  plan.children.push_back({"gateway/rep-0", {}, kGatewayTimeoutReady, 0});

  const std::vector<std::size_t> depth = depths(config);
  const std::size_t deepest = *std::max_element(depth.begin(), depth.end());
  std::map<std::pair<std::string, std::uint32_t>, std::size_t> shared;  // (process, replica)
  for (std::size_t i = 0; i < config.executors.size(); ++i) {
    const core::ExecutorConfig& executor = config.executors[i];
    const std::size_t wave = 1 + deepest - depth[i];
    for (std::uint32_t replica = 0; replica < executor.replicas; ++replica) {
      std::size_t child = plan.children.size();
      if (!executor.process.empty()) {
        child = shared.try_emplace({executor.process, replica}, child).first->second;
      }
      if (child == plan.children.size()) {
        plan.children.push_back({fmt::format("{}/rep-{}", executor.name, replica), {}, {}, wave});
      }
      ChildPlan& process = plan.children[child];
      // Executors that share a process are created one after the other.
      process.timeout_ready += executor.timeout_ready;
      process.stop_wave = std::max(process.stop_wave, wave);
      process.replicas.push_back(plan.replicas.size());
      plan.replicas.push_back({i, replica, {}, {}, {}});
    }
  }
  return plan;
}

std::string replica_name(const core::FlowConfig& config, const ReplicaPlan& replica) {
  const core::ExecutorConfig& executor = config.executors[replica.executor];
  if (executor.replicas == 1) return executor.name;
  return fmt::format("{}/rep-{}", executor.name, replica.replica);
}

std::vector<std::string> child_command(const core::FlowConfig& config, const FlowPlan& plan,
                                       std::size_t child, const Programs& programs, Seat seat) {
  const bool is_gateway = child == FlowPlan::kGateway;
  std::vector<std::string> command = {is_gateway ? programs.gateway : programs.host, "--config",
                                      config.file};
  if (!plan.snapshot.empty()) command.insert(command.end(), {"--snapshot", plan.snapshot});
  if (is_gateway) {
    command.insert(command.end(), {"--listen", plan.gateway_address});
    return command;
  }
  const std::vector<std::size_t>& replicas = plan.children[child].replicas;
  for (const std::size_t place : replicas) {
    command.insert(command.end(),
                   {"--executor", config.executors[plan.replicas[place].executor].name});
  }
  command.insert(command.end(),
                 {"--replica", std::to_string(plan.replicas[replicas.front()].replica)});
  for (const std::size_t place : replicas) {
    const ReplicaPlan& replica = plan.replicas[place];
    const std::string& name = config.executors[replica.executor].name;
    command.insert(command.end(), {"--listen", fmt::format("{}={}", name, replica.tcp_address)});
    const std::string& path = seat == Seat::Serving ? replica.unix_path : replica.beside_path;
    if (!path.empty()) {
      command.insert(command.end(), {"--listen", fmt::format("{}=unix:{}", name, path)});
    }
  }
  return command;
}

std::vector<std::string> child_environment(const core::FlowConfig& config, const FlowPlan& plan,
                                           std::size_t child, const ChildWiring& wiring,
                                           const std::map<std::string, std::string>& inherited) {
  std::map<std::string, std::string> variables;
  for (const auto& [key, value] : inherited) {
    const bool ours = std::find(kForUsAlone.begin(), kForUsAlone.end(), key) != kForUsAlone.end();
    if (!ours) variables[key] = value;
  }
  for (const std::size_t place : plan.children[child].replicas) {
    for (const auto& [key, value] : config.executors[plan.replicas[place].executor].env) {
      variables[key] = value;
    }
  }
  variables["NOTIFY_SOCKET"] = wiring.notify_socket;
  variables["FLOW_SUPERVISOR_PID"] = std::to_string(wiring.supervisor_pid);
  if (child != FlowPlan::kGateway) {
    variables[std::string(kCrashFolderVariable)] = wiring.crash_reports;
  }
  if (wiring.control_fd >= 0) variables["FLOW_CONTROL_FD"] = std::to_string(wiring.control_fd);

  std::vector<std::string> environment;
  environment.reserve(variables.size());
  for (const auto& [key, value] : variables) environment.push_back(key + "=" + value);
  return environment;
}

}  // namespace flow::host
