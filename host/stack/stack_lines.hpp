// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "host/stack/stack.hpp"

namespace flow::host {

// symbolise() for a process that asks again and again: keeps the functions that it has found, so
// that a plugin which throws at every request does not read files at every request. Thread-safe.
class StackLines {
 public:
  std::vector<std::string> lines(const RawStack& stack);

 private:
  std::mutex mutex_;
  std::map<std::uintptr_t, std::string> functions_;  // by address; bounded
};

}  // namespace flow::host
