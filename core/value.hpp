// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace flow::core {

// A place in a configuration file, counted from 1; line 0 means "nowhere" (a default, or code).
struct Location {
  int line = 0;
  int column = 0;
  bool operator==(const Location&) const = default;
};

// A value of a configuration file that its reader does not understand yet (an executor's
// `uses_with`), with the places that error messages about it will name.
struct Value {
  using List = std::vector<Value>;
  struct Entry;
  using Map = std::vector<Entry>;  // in file order, keys unique

  // Null by default. An initialiser here would need Entry, which is not complete yet.
  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, List, Map> data;
  Location at;
};

struct Value::Entry {
  std::string key;
  Value value;
};

}  // namespace flow::core
