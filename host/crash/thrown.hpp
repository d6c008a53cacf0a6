// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>
#include <typeinfo>

#include "host/stack/stack.hpp"

namespace flow::host {

// The exception that this thread threw last, and where. Recorded by our own __cxa_throw, which
// stands before the C++ library's for everybody in this process, plugins included, except for
// those that bring a C++ library of their own (docs/decisions/0019-native-stacks.md).
struct Thrown {
  const std::type_info* type = nullptr;  // nullptr: it threw none
  const void* object = nullptr;          // may be gone: to compare only; nullptr: is gone
  std::array<char, 256> message{};       // of a std::exception; its beginning if it is long
  RawStack stack;
};
const Thrown& last_thrown();

// The same, if it is the one that is being handled here, in a `catch`, or that nobody handles and
// that ends the process; otherwise nullptr, as for one that another thread threw and
// std::rethrow_exception() brought here. Async-signal-safe.
const Thrown* thrown_in_hand();

}  // namespace flow::host
