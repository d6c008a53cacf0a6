// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gateway/executors/liveness.hpp"

namespace jina {
class StatusProto;
}

// "Is the whole Flow ready?", computed when something changes and not when somebody asks: plain
// values in, an immutable verdict out, already in the form in which it is sent.
namespace flow::gateway {

struct ReplicaView {
  std::string name;     // "executor0/rep-0"
  std::string address;  // "0.0.0.0:12346"
  ReplicaStatus status;
};

struct ExecutorView {
  std::string name;
  std::vector<ReplicaView> replicas;

  bool ready() const;
};

struct FlowView {
  std::vector<ExecutorView> executors;  // in the order of the graph
  bool draining = false;
};

// Immutable; shared by the gateway and by whoever still sends it.
struct Verdict {
  bool ready = false;
  std::string reason;          // one line; empty if ready
  std::string dry_run_grpc;    // jina.StatusProto, framed
  std::string dry_run_json;    // what GET /dry_run answers
  std::string readyz_json;     // GET /readyz
  std::string readyz_verbose;  // GET /readyz?verbose
  std::vector<bool> executors_ready;
  // A line for each replica in the way, and behind it those about its crash or hang.
  std::vector<std::string> evidence;
};

// As the reference's HTTP gateway writes it: numbers for enums, every member present.
std::string status_json(const jina::StatusProto& status);

// The answer to one dry run, in both forms in which it is sent.
struct DryRunAnswer {
  bool success = false;
  std::string grpc;  // jina.StatusProto, framed
  std::string json;
};
DryRunAnswer dry_run_success();
DryRunAnswer dry_run_failure(const jina::StatusProto& status);

std::shared_ptr<const Verdict> judge(const FlowView& flow);

// Entries of `stacks`: where a replica stands and since when, with the reason, then a line for each
// of what its supervisor knows about its crash or hang.
std::vector<std::string> evidence(const ReplicaView& replica);
// Those lines, as they stand behind another.
void add_stacks(const std::vector<std::string>& stacks, std::vector<std::string>& to);

// What a caller is told whose request could not reach an executor: the reference's words, because
// existing clients look for them.
enum class CallFailure { Unreachable, TimedOut };
std::string failure_description(const ExecutorView& executor, CallFailure failure,
                                std::string_view detail);

}  // namespace flow::gateway
