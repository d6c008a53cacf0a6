// SPDX-License-Identifier: Apache-2.0
#include "host/flow/flow_toml.hpp"

#include <cmath>
#include <cstdint>
#include <memory>
#include <sstream>
#include <string_view>
#include <utility>

#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "toml++/toml.h"

namespace flow::host {
namespace {

// Code has its own variables: what is a dollar here stays one when the file is read.
std::string literal(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    escaped += c;
    if (c == '$') escaped += c;
  }
  return escaped;
}

template <class Texts>
toml::array literals(const Texts& texts) {
  toml::array array;
  for (const std::string& text : texts) array.push_back(literal(text));
  return array;
}

absl::Status refuse(const std::string& where, std::string_view what) {
  return core::error(absl::StatusCode::kInvalidArgument, fmt::format("{} {}", where, what));
}

bool is_whole(double number) {
  constexpr double kExact = 9007199254740992;  // 2^53: from here on doubles skip integers
  return std::trunc(number) == number && std::abs(number) <= kExact;
}

using Node = std::unique_ptr<toml::node>;

absl::StatusOr<Node> node_of(const Json& value, const std::string& where);

absl::StatusOr<toml::table> table_of(const Json::Object& members, const std::string& where) {
  toml::table table;
  for (const auto& [key, member] : members) {
    FLOW_ASSIGN_OR_RETURN(const Node node, node_of(member, fmt::format("{}.{}", where, key)));
    node->visit([&](auto& each) { table.insert(key, std::move(each)); });
  }
  return table;
}

absl::StatusOr<toml::array> array_of(const Json::Array& items, const std::string& where) {
  toml::array array;
  for (const Json& item : items) {
    FLOW_ASSIGN_OR_RETURN(const Node node, node_of(item, where + "[]"));
    node->visit([&](auto& each) { array.push_back(std::move(each)); });
  }
  return array;
}

// In the type that TOML has for it.
absl::StatusOr<Node> node_of(const Json& value, const std::string& where) {
  if (value.is_null()) return refuse(where, "is null, which TOML does not have");
  if (value.is_bool()) return std::make_unique<toml::value<bool>>(value.boolean());
  if (value.is_number() && is_whole(value.number())) {
    return std::make_unique<toml::value<std::int64_t>>(static_cast<std::int64_t>(value.number()));
  }
  if (value.is_number()) return std::make_unique<toml::value<double>>(value.number());
  if (value.is_text()) {
    if (!core::is_valid_utf8(value.text())) return refuse(where, "is not UTF-8");
    return std::make_unique<toml::value<std::string>>(literal(value.text()));
  }
  if (value.is_array()) {
    FLOW_ASSIGN_OR_RETURN(toml::array array, array_of(value.array(), where));
    return std::make_unique<toml::array>(std::move(array));
  }
  FLOW_ASSIGN_OR_RETURN(toml::table table, table_of(value.object(), where));
  return std::make_unique<toml::table>(std::move(table));
}

absl::StatusOr<toml::table> executor_table(const ExecutorSpec& spec) {
  toml::table table;
  const auto put_text = [&table](std::string_view key, const std::string& text) {
    if (!text.empty()) table.insert(key, literal(text));
  };
  put_text("name", spec.name);
  put_text("uses", spec.uses);
  put_text("process", spec.process);
  if (spec.port != 0) table.insert("port", spec.port);
  if (spec.replicas != 1) table.insert("replicas", std::int64_t{spec.replicas});
  if (!spec.needs.empty()) table.insert("needs", literals(spec.needs));
  if (!spec.env.empty()) {
    toml::table env;
    for (const auto& [key, value] : spec.env) env.insert(key, literal(value));
    table.insert("env", std::move(env));
  }
  if (!spec.uses_with.empty()) {
    FLOW_ASSIGN_OR_RETURN(
        toml::table with,
        table_of(spec.uses_with, fmt::format("executor \"{}\": uses_with", spec.name)));
    table.insert("uses_with", std::move(with));
  }
  return table;
}

}  // namespace

absl::StatusOr<std::string> flow_toml(const FlowOptions& options,
                                      const std::vector<ExecutorSpec>& executors) {
  toml::array tables;
  for (const ExecutorSpec& spec : executors) {
    FLOW_ASSIGN_OR_RETURN(toml::table table, executor_table(spec));
    tables.push_back(std::move(table));
  }
  const toml::table document{
      {"name", literal(options.name)},
      {"plugins", literals(options.plugins)},
      {"gateway", toml::table{{"host", literal(options.host)}, {"port", options.port}}},
      {"log", toml::table{{"level", literal(options.log_level)}}},
      {"executors", std::move(tables)},
  };
  std::ostringstream text;
  text << document << '\n';
  return text.str();
}

}  // namespace flow::host
