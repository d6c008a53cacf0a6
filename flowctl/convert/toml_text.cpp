// SPDX-License-Identifier: Apache-2.0
#include "flowctl/convert/toml_text.hpp"

#include <cmath>
#include <vector>

#include "core/text.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::ctl {
namespace {

struct ToToml {
  std::string operator()(std::nullptr_t) const { return {}; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const {
    if (!std::isfinite(value)) {
      return std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
    }
    const std::string text = fmt::format("{}", value);
    return text.find_first_of(".e") == text.npos ? text + ".0" : text;
  }
  std::string operator()(const std::string& value) const { return toml_string(value); }
  std::string operator()(const core::Value::List& list) const {
    std::vector<std::string> items;
    for (const core::Value& item : list) {
      if (!std::holds_alternative<std::nullptr_t>(item.data)) items.push_back(toml_value(item));
    }
    return fmt::format("[{}]", fmt::join(items, ", "));
  }
  std::string operator()(const core::Value::Map& map) const {
    std::vector<std::string> members;
    for (const auto& [key, value] : map) {
      if (std::holds_alternative<std::nullptr_t>(value.data)) continue;
      members.push_back(fmt::format("{} = {}", toml_key(key), toml_value(value)));
    }
    return members.empty() ? "{}" : fmt::format("{{ {} }}", fmt::join(members, ", "));
  }
};

}  // namespace

// JSON's escapes are TOML's, too.
std::string toml_string(std::string_view text) { return '"' + core::escape_json(text) + '"'; }

std::string toml_key(std::string_view key) {
  constexpr std::string_view kBare =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  const bool bare = !key.empty() && key.find_first_not_of(kBare) == key.npos;
  return bare ? std::string(key) : toml_string(key);
}

std::string toml_value(const core::Value& value) { return std::visit(ToToml(), value.data); }

}  // namespace flow::ctl
