// SPDX-License-Identifier: Apache-2.0
#include "gateway/readiness/verdict.hpp"

#include <algorithm>
#include <utility>

#include "core/text.hpp"
#include "core/time_text.hpp"
#include "fmt/format.h"
#include "jina.pb.h"
#include "wire/grpc.hpp"

namespace flow::gateway {
namespace {

std::string quoted(std::string_view text) { return '"' + core::escape_json(text) + '"'; }

template <typename Items, typename ToText>
std::string join(const Items& items, std::string_view separator, ToText&& to_text) {
  std::string text;
  for (const auto& item : items) {
    if (!text.empty()) text += separator;
    text += to_text(item);
  }
  return text;
}

// Python's way of writing a set of strings, as the reference does: {'a:1', 'b:2'}.
std::string address_set(const ExecutorView& executor) {
  return "{" +
         join(executor.replicas, ", ",
              [](const ReplicaView& replica) { return "'" + replica.address + "'"; }) +
         "}";
}

bool hung(const ExecutorView& executor) {
  return std::ranges::any_of(executor.replicas, [](const ReplicaView& replica) {
    return replica.status.state == core::ReplicaState::Hung;
  });
}

jina::StatusProto failure_status(const FlowView& flow) {
  jina::StatusProto status;
  status.set_code(jina::StatusProto::ERROR);
  auto* exception = status.mutable_exception();
  exception->set_name("InternalNetworkError");
  // As in the reference, the first executor that fails gives the description; we go on and give
  // the evidence of all of them.
  for (const ExecutorView& executor : flow.executors) {
    if (executor.ready()) continue;
    if (status.description().empty()) {
      status.set_description(
          hung(executor) ? failure_description(executor, CallFailure::TimedOut, "Deadline Exceeded")
                         : failure_description(executor, CallFailure::Unreachable,
                                               "failed to connect to all addresses"));
    }
    for (const ReplicaView& replica : executor.replicas) {
      if (replica.status.state != core::ReplicaState::Ready) {
        for (std::string& line : evidence(replica)) exception->add_stacks(std::move(line));
      }
    }
  }
  if (status.description().empty()) {
    status.set_description("the gateway is draining and takes no new requests");
    exception->add_stacks("gateway is DRAINING: it was told to stop\n");
  }
  exception->add_args(status.description());
  return status;
}

std::string verbose_json(const FlowView& flow, const Verdict& verdict) {
  const auto replica_json = [](const ReplicaView& replica) {
    return fmt::format(
        R"({{"name":{},"state":"{}","since":"{}","reason":{},"address":{},"pid":{}}})",
        quoted(replica.name), core::name(replica.status.state),
        core::utc_text(replica.status.since), quoted(replica.status.reason),
        quoted(replica.address), replica.status.pid);
  };
  const auto executor_json = [&](const ExecutorView& executor) {
    return fmt::format(R"({{"name":{},"ready":{},"replicas":[{}]}})", quoted(executor.name),
                       executor.ready(), join(executor.replicas, ",", replica_json));
  };
  return fmt::format(R"({{"ready":{},"reason":{},"executors":[{}]}})", verdict.ready,
                     quoted(verdict.reason), join(flow.executors, ",", executor_json));
}

std::string reason_of(const FlowView& flow) {
  if (flow.draining) return "the gateway is draining";
  std::string reason;
  for (const ExecutorView& executor : flow.executors) {
    if (executor.ready()) continue;
    for (const ReplicaView& replica : executor.replicas) {
      if (!reason.empty()) reason += "; ";
      reason += fmt::format("{} is {}: {}", replica.name, core::name(replica.status.state),
                            replica.status.reason);
    }
  }
  return reason;
}

}  // namespace

std::vector<std::string> evidence(const ReplicaView& replica) {
  const ReplicaStatus& status = replica.status;
  std::vector<std::string> lines = {fmt::format("{} at {} is {} since {}: {}\n", replica.name,
                                                replica.address, core::name(status.state),
                                                core::utc_text(status.since), status.reason)};
  add_stacks(status.stacks, lines);
  return lines;
}

void add_stacks(const std::vector<std::string>& stacks, std::vector<std::string>& to) {
  for (const std::string& line : stacks) to.push_back(fmt::format("  {}\n", line));
}

std::string status_json(const jina::StatusProto& status) {
  const auto list = [](const auto& items) {
    return "[" + join(items, ",", [](const std::string& item) { return quoted(item); }) + "]";
  };
  const auto& exception = status.exception();
  return fmt::format(
      R"({{"code":{},"description":{},"exception":{{"name":{},"args":{},"stacks":{},"executor":{}}}}})",
      static_cast<int>(status.code()), quoted(status.description()), quoted(exception.name()),
      list(exception.args()), list(exception.stacks()), quoted(exception.executor()));
}

bool ExecutorView::ready() const {
  return std::ranges::any_of(replicas, [](const ReplicaView& replica) {
    return replica.status.state == core::ReplicaState::Ready;
  });
}

std::string failure_description(const ExecutorView& executor, CallFailure failure,
                                std::string_view detail) {
  if (failure == CallFailure::TimedOut) {
    return fmt::format(
        "{}|Gateway: Connection with deployment {} at address(es) {} could be established, but "
        "timed out. You can increase the allowed time by setting `timeout_send` in your Flow YAML "
        "`with` block or Flow `__init__()` method.",
        detail, executor.name, address_set(executor));
  }
  return fmt::format(
      "{} |Gateway: Communication error with deployment {} at address(es) {}. Head or worker(s) "
      "may be down.",
      detail, executor.name, address_set(executor));
}

DryRunAnswer dry_run_success() {
  return {true, wire::frame(""), R"({"code":0,"description":"","exception":null})"};
}

DryRunAnswer dry_run_failure(const jina::StatusProto& status) {
  return {false, wire::frame(status.SerializeAsString()), status_json(status)};
}

std::shared_ptr<const Verdict> judge(const FlowView& flow) {
  auto verdict = std::make_shared<Verdict>();
  verdict->ready = !flow.draining;
  for (const ExecutorView& executor : flow.executors) {
    verdict->executors_ready.push_back(executor.ready());
    verdict->ready = verdict->ready && executor.ready();
  }
  DryRunAnswer dry_run = dry_run_success();
  if (!verdict->ready) {
    verdict->reason = reason_of(flow);
    const jina::StatusProto status = failure_status(flow);
    const auto& evidence = status.exception().stacks();
    verdict->evidence = {evidence.begin(), evidence.end()};
    dry_run = dry_run_failure(status);
  }
  verdict->dry_run_grpc = std::move(dry_run.grpc);
  verdict->dry_run_json = std::move(dry_run.json);
  verdict->readyz_json =
      fmt::format(R"({{"ready":{},"reason":{}}})", verdict->ready, quoted(verdict->reason));
  verdict->readyz_verbose = verbose_json(flow, *verdict);
  return verdict;
}

}  // namespace flow::gateway
