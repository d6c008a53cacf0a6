// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace flow::host {

// How often the kernel of this machine has killed a process because memory ran out, be it the
// machine's or a control group's. 0 if it does not say.
std::uint64_t memory_kills();

// The same from the text of /proc/vmstat.
std::uint64_t parse_memory_kills(std::string_view vmstat);

}  // namespace flow::host
