// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "host/supervisor/swap.hpp"

// Which processes a Flow consists of, and how each is started. Values only.
namespace flow::host {

struct ReplicaPlan {
  std::size_t executor = 0;  // its place in FlowConfig::executors
  std::uint32_t replica = 0;
  std::string tcp_address;       // filled in when the port is reserved
  std::string unix_path;         // filled in when the runtime folder exists; empty: TCP only
  std::string beside_path = {};  // of the process beside the one that serves; empty: there is none
};

struct ChildPlan {
  std::string name;                   // "executor0/rep-0", "gateway/rep-0": as in its log lines
  std::vector<std::size_t> replicas;  // what it serves, places in FlowPlan::replicas
  std::chrono::nanoseconds timeout_ready{0};
  std::size_t stop_wave = 0;  // children are stopped wave by wave, 0 first
};

struct FlowPlan {
  // A child's place is its identity everywhere in the supervisor; the gateway's is this.
  static constexpr std::size_t kGateway = 0;

  std::vector<ChildPlan> children;
  std::vector<ReplicaPlan> replicas;
  std::string gateway_address;  // filled in when the port is reserved
  // Where the file's text is as it was last read, for all to read the same; empty: in the file.
  std::string snapshot;
};

// The gateway stops first, because it drains through all others; then the executors, those last in
// the graph first. A process that several executors share waits for the turn of its earliest.
FlowPlan plan_flow(const core::FlowConfig& config);

// "executor0", or "executor0/rep-1" if there are several: as people are told about it.
std::string replica_name(const core::FlowConfig& config, const ReplicaPlan& replica);

// Where our two programs are.
struct Programs {
  std::string host;
  std::string gateway;
};

// What the environment of a child gets from the supervisor.
struct ChildWiring {
  std::string notify_socket;  // as $NOTIFY_SOCKET has it
  int supervisor_pid = 0;
  int control_fd = -1;          // the gateway's end; -1 for executors
  std::string crash_reports{};  // a folder; empty: nowhere
};

// argv of a child, its program first.
std::vector<std::string> child_command(const core::FlowConfig& config, const FlowPlan& plan,
                                       std::size_t child, const Programs& programs,
                                       Seat seat = Seat::Serving);

// The environment of a child as "KEY=value": `inherited` without what our own service manager meant
// for us alone, then the executors' `env`, then the wiring, the later winning.
std::vector<std::string> child_environment(const core::FlowConfig& config, const FlowPlan& plan,
                                           std::size_t child, const ChildWiring& wiring,
                                           const std::map<std::string, std::string>& inherited);

}  // namespace flow::host
