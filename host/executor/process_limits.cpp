// SPDX-License-Identifier: Apache-2.0
#include "host/executor/process_limits.hpp"

#include <sched.h>
#include <sys/resource.h>

#include <cerrno>
#include <vector>

#include "core/status.hpp"
#include "core/units.hpp"
#include "fmt/format.h"

namespace flow::host {
namespace {

absl::Status limit(__rlimit_resource resource, rlim_t value, const std::string& what) {
  rlimit now{};
  if (::getrlimit(resource, &now) == 0 && now.rlim_max < value) {
    return core::error(
        absl::StatusCode::kInvalidArgument,
        fmt::format("{} is more than this process may have: {}", what, now.rlim_max));
  }
  const rlimit wanted{value, value};
  if (::setrlimit(resource, &wanted) != 0) return core::system_error(errno, what);
  return absl::OkStatus();
}

absl::Status limit_cpus(std::size_t count, std::size_t turn) {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return core::system_error(errno, fmt::format("cpus = {}", count));
  }
  std::vector<std::size_t> cores;
  for (std::size_t core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) cores.push_back(core);
  }
  if (cores.size() <= count) return absl::OkStatus();
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  for (std::size_t i = 0; i < count; ++i)
    CPU_SET(cores[(turn * count + i) % cores.size()], &chosen);
  if (::sched_setaffinity(0, sizeof chosen, &chosen) != 0) {
    return core::system_error(errno, fmt::format("cpus = {}", count));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status apply_limits(const core::ProcessLimits& limits, std::size_t turn) {
  if (limits.memory != 0) {
    FLOW_RETURN_IF_ERROR(limit(RLIMIT_DATA, limits.memory,
                               fmt::format("memory = {}", core::size_text(limits.memory))));
  }
  if (limits.files != 0) {
    FLOW_RETURN_IF_ERROR(
        limit(RLIMIT_NOFILE, limits.files, fmt::format("files = {}", limits.files)));
  }
  return limits.cpus == 0 ? absl::OkStatus() : limit_cpus(limits.cpus, turn);
}

}  // namespace flow::host
