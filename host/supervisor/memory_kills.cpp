// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/memory_kills.hpp"

#include <charconv>

#include "core/file.hpp"

namespace flow::host {
namespace {

// A line for each of some two hundred counters.
constexpr std::size_t kVmstatMax = 64 << 10;

}  // namespace

std::uint64_t parse_memory_kills(std::string_view vmstat) {
  constexpr std::string_view kKey = "\noom_kill ";
  const std::size_t at = vmstat.find(kKey);
  if (at == std::string_view::npos) return 0;
  std::uint64_t count = 0;
  std::from_chars(vmstat.data() + at + kKey.size(), vmstat.data() + vmstat.size(), count);
  return count;
}

std::uint64_t memory_kills() {
  const auto text = core::read_file("/proc/vmstat", kVmstatMax);
  return text.ok() ? parse_memory_kills(*text) : 0;
}

}  // namespace flow::host
