// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/executors_report.hpp"

#include <optional>

#include "core/text.hpp"
#include "core/time_text.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::gateway {
namespace {

std::string quoted(std::string_view text) { return '"' + core::escape_json(text) + '"'; }

std::string milliseconds(std::optional<std::chrono::microseconds> duration) {
  if (!duration) return "null";
  return fmt::format("{}", std::chrono::duration<double, std::milli>(*duration).count());
}

std::string replica_json(const Replica& replica, Clock::time_point now) {
  const ReplicaView view = replica.view();
  const CallStats::Snapshot stats = replica.stats().snapshot(now);
  std::vector<std::string> stacks;
  for (const std::string& line : view.status.stacks) stacks.push_back(quoted(line));
  return fmt::format(
      R"({{"name":{},"state":"{}","since":"{}","reason":{},"address":{},"pid":{},"restarts":{},)"
      R"("in_flight":{},"calls":{},"failures":{},"requests_per_second":{:.1f},)"
      R"("p50_ms":{},"p99_ms":{},"stacks":[{}]}})",
      quoted(view.name), core::name(view.status.state), core::utc_text(view.status.since),
      quoted(view.status.reason), quoted(view.address), view.status.pid, stats.restarts,
      replica.in_flight(), stats.calls, stats.failures, stats.calls_per_second,
      milliseconds(stats.p50), milliseconds(stats.p99), fmt::join(stacks, ","));
}

}  // namespace

std::string executors_report(const Executors& executors, const Verdict& verdict, Now now) {
  std::vector<std::string> all;
  for (std::size_t executor = 0; executor < executors.names().size(); ++executor) {
    std::vector<std::string> replicas;
    for (const auto& replica : executors.replicas(executor)) {
      replicas.push_back(replica_json(*replica, now.steady));
    }
    all.push_back(fmt::format(R"({{"name":{},"ready":{},"replicas":[{}]}})",
                              quoted(executors.names()[executor]),
                              executors.view_of(executor).ready(), fmt::join(replicas, ",")));
  }
  return fmt::format(R"({{"time":"{}","ready":{},"reason":{},"executors":[{}]}})",
                     core::utc_text(now.wall), verdict.ready, quoted(verdict.reason),
                     fmt::join(all, ","));
}

}  // namespace flow::gateway
