// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flow::gateway {

// How many requests of one stream may be underway: what its caller asks for, else what the file
// says. As in the reference, 0 in the file is no bound, and from a caller, like anything that is no
// number, as if it had said nothing.
std::size_t prefetch_of(std::string_view said, std::uint32_t configured);

}  // namespace flow::gateway
