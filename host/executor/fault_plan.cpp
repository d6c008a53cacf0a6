// SPDX-License-Identifier: Apache-2.0
#include "host/executor/fault_plan.hpp"

#include <vector>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::host {
namespace {

// SplitMix64 (Steele, Lea and Flood, 2014): a number of any quality from a counter, so that no
// state is shared but the count of calls.
std::uint64_t mixed(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

// From 0 to 1, without 1.
double as_share(std::uint64_t value) { return static_cast<double>(value >> 11) * 0x1.0p-53; }

}  // namespace

FaultPlan::FaultPlan(const core::FaultConfig& config, std::uint32_t replica)
    : shares_{{{Fault::Delay, config.delay},
               {Fault::Error, config.error},
               {Fault::Crash, config.crash},
               {Fault::Exit, config.exit},
               {Fault::Spin, config.spin},
               {Fault::Deadlock, config.deadlock}}},
      seed_(mixed(config.seed) + replica) {
  double sum = 0;
  for (Share& share : shares_) share.up_to = sum += share.up_to;
}

Fault FaultPlan::next() {
  const std::uint64_t call = calls_.fetch_add(1, std::memory_order_relaxed);
  const double drawn = as_share(mixed(mixed(seed_) + call));
  for (const Share& share : shares_) {
    if (drawn < share.up_to) return share.fault;
  }
  return Fault::None;
}

std::string describe(const core::FaultConfig& config) {
  std::vector<std::string> parts;
  const auto share = [&parts](std::string_view name, double of_one) {
    if (of_one > 0) parts.push_back(fmt::format("{} {:.4g} %", name, of_one * 100));
  };
  share("delay", config.delay);
  share("error", config.error);
  share("crash", config.crash);
  share("exit", config.exit);
  share("spin", config.spin);
  share("deadlock", config.deadlock);
  if (config.slow_start.count() > 0) {
    parts.push_back(fmt::format("slow start {} ms", config.slow_start.count() / 1'000'000));
  }
  if (config.grow > 0) parts.push_back(fmt::format("{} bytes kept by each call", config.grow));
  return fmt::format("{}; seed {}", fmt::join(parts, ", "), config.seed);
}

}  // namespace flow::host
