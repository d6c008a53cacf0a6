// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config.hpp"
#include "core/value.hpp"
#include "toml++/toml.h"

// How a TOML document becomes typed values, with every mistake noted instead of the first only.
// Private to core/config*.cpp.
namespace flow::core {

// The mistakes of one file. Confined to the reading of it.
class ConfigErrors {
 public:
  void add(Location at, std::string what);

  // One "file:line:column: what" per line, in the file's order.
  absl::Status status(std::string_view file) const;

 private:
  std::vector<std::pair<Location, std::string>> errors_;
};

// "file:line:column: what", or "file: what" for nowhere.
std::string at_place(std::string_view file, Location at, std::string_view what);

// nullopt if it is not TOML, which is then noted.
std::optional<toml::table> parse_toml(std::string_view text, ConfigErrors& errors);

Location begin_of(const toml::source_region& region);

enum class Zero { Allowed, Refused };

// Reads the keys of one table. Each function leaves `to` as it is if the key is absent or wrong (a
// mistake is noted), and returns the value's place, or nowhere if it left `to` alone. When all keys
// have been asked for, refuse_others() notes the rest.
class TableReader {
 public:
  // `table` and `errors` stay valid as long as this; `label` is what messages call the table.
  TableReader(const toml::table& table, std::string label, const Environment& environment,
              ConfigErrors& errors)
      : table_(table), label_(std::move(label)), environment_(environment), errors_(errors) {}

  Location text(std::string_view key, std::string& to);
  Location texts(std::string_view key, std::vector<PlacedText>& to);
  Location text_map(std::string_view key, std::map<std::string, std::string>& to);
  Location duration(std::string_view key, Zero zero, std::chrono::nanoseconds& to);
  // "off" for none.
  Location duration_or_off(std::string_view key, std::optional<std::chrono::nanoseconds>& to);
  Location size(std::string_view key, std::uint64_t max, std::uint64_t& to);

  Location boolean(std::string_view key, bool& to);
  // A number from 0 to 1.
  Location share(std::string_view key, double& to);

  template <typename Integer>
  Location integer(std::string_view key, std::int64_t min, std::int64_t max, Integer& to) {
    std::int64_t value = 0;
    const Location at = integer_within(key, min, max, value);
    if (at.line != 0) to = static_cast<Integer>(value);
    return at;
  }

  Location status_code(std::string_view key, const std::vector<int>& choices, int& to);

  template <typename Choice>
  Location choice(std::string_view key,
                  const std::vector<std::pair<std::string_view, Choice>>& choices, Choice& to) {
    std::vector<std::string> names;
    for (const auto& [name, value] : choices) names.emplace_back(name);
    std::size_t chosen = 0;
    const Location at = read_choice(key, names, chosen);
    if (at.line != 0) to = choices[chosen].second;
    return at;
  }

  // A table whose keys its reader does not know, as it stands but with its strings expanded.
  Location value_map(std::string_view key, Value& to);

  // nullptr if absent or no table.
  const toml::table* table(std::string_view key);
  // The tables of [[key]]; empty if absent or something else.
  std::vector<const toml::table*> tables(std::string_view key);

  // Notes every key that was not asked for; those in `later` are ours, but not in this version.
  void refuse_others(std::initializer_list<std::string_view> later = {});

 private:
  const toml::node* find(std::string_view key);
  Location duration_of(std::string_view key, const toml::node& node, const std::string& text,
                       Zero zero, std::chrono::nanoseconds& to);
  void wrong_type(std::string_view key, const toml::node& node, std::string_view expected);
  std::optional<std::string> expanded(std::string_view key, const toml::node& node);
  std::optional<std::string> expanded_text(std::string_view key, const toml::node& node,
                                           std::string_view expected);
  std::optional<Value> value(const std::string& key, const toml::node& node);
  Location read_integer(std::string_view key, const std::string& expected,
                        const std::function<bool(std::int64_t)>& is_expected, std::int64_t& to);
  Location integer_within(std::string_view key, std::int64_t min, std::int64_t max,
                          std::int64_t& to);
  Location read_choice(std::string_view key, const std::vector<std::string>& names,
                       std::size_t& to);

  const toml::table& table_;
  const std::string label_;
  const Environment& environment_;
  ConfigErrors& errors_;
  std::vector<std::string> asked_;
};

}  // namespace flow::core
