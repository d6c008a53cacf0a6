// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/prefetch.hpp"

#include <charconv>
#include <limits>
#include <system_error>

namespace flow::gateway {

std::size_t prefetch_of(std::string_view said, std::uint32_t configured) {
  std::uint32_t asked = 0;
  const auto [end, error] = std::from_chars(said.begin(), said.end(), asked);
  const bool understood = error == std::errc() && end == said.end() && asked > 0;
  const std::uint32_t prefetch = understood ? asked : configured;
  return prefetch > 0 ? prefetch : std::numeric_limits<std::size_t>::max();
}

}  // namespace flow::gateway
