// SPDX-License-Identifier: Apache-2.0
#include "host/plugin/config_schema.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::host {
namespace {

using core::Value;
using Key = flow::v1::PluginInfo::ConfigKey;

// A plugin sees every number as a double; a larger integer would silently become another one.
constexpr std::int64_t kExactIntegerMax = std::int64_t{1} << 53;

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

void assign(const Value& from, google::protobuf::Value& to) {
  std::visit(Overloaded{
                 [&](std::nullptr_t) { to.set_null_value(google::protobuf::NULL_VALUE); },
                 [&](bool value) { to.set_bool_value(value); },
                 [&](std::int64_t value) { to.set_number_value(static_cast<double>(value)); },
                 [&](double value) { to.set_number_value(value); },
                 [&](const std::string& value) { to.set_string_value(value); },
                 [&](const Value::List& list) {
                   auto& values = *to.mutable_list_value();
                   for (const auto& value : list) assign(value, *values.add_values());
                 },
                 [&](const Value::Map& map) {
                   auto& fields = *to.mutable_struct_value()->mutable_fields();
                   for (const auto& entry : map) assign(entry.value, fields[entry.key]);
                 },
             },
             from.data);
}

std::string_view article(std::string_view type) {
  return !type.empty() && type.front() == 'i' ? "an" : "a";
}

// What stands in the file, in words: 'the string "x"', 'the integer 7', 'a list'.
std::string describe(const Value& value, const Key& key) {
  return std::visit(
      Overloaded{
          [](std::nullptr_t) -> std::string { return "nothing"; },
          [&](const Value::List&) -> std::string { return "a list"; },
          [&](const Value::Map&) -> std::string { return "a map"; },
          [&](bool scalar) -> std::string {
            return key.secret() ? "a boolean" : fmt::format("the boolean {}", scalar);
          },
          [&](std::int64_t scalar) -> std::string {
            return key.secret() ? "an integer" : fmt::format("the integer {}", scalar);
          },
          [&](double scalar) -> std::string {
            return key.secret() ? "a number" : fmt::format("the number {}", scalar);
          },
          [&](const std::string& scalar) -> std::string {
            return key.secret() ? "a string" : fmt::format("the string \"{}\"", scalar);
          },
      },
      value.data);
}

bool has_type(const Value& value, std::string_view type) {
  if (type == "string") return std::holds_alternative<std::string>(value.data);
  if (type == "boolean") return std::holds_alternative<bool>(value.data);
  if (type == "list") return std::holds_alternative<Value::List>(value.data);
  if (type == "map") return std::holds_alternative<Value::Map>(value.data);
  const bool integer = std::holds_alternative<std::int64_t>(value.data);
  return integer || (type == "number" && std::holds_alternative<double>(value.data));
}

// What is wrong with a value, to follow the key's name; empty if nothing is.
std::string objection_to_number(double number, const Value& value, const Key& key) {
  if (!std::isfinite(number)) return fmt::format("must be finite, not {}", describe(value, key));
  if (std::holds_alternative<std::int64_t>(value.data) &&
      std::abs(number) > static_cast<double>(kExactIntegerMax)) {
    return fmt::format("must lie within +-{}, which {} does not", kExactIntegerMax,
                       describe(value, key));
  }
  if (key.has_min() && number < key.min()) {
    return fmt::format("must be at least {}, not {}", key.min(), describe(value, key));
  }
  if (key.has_max() && number > key.max()) {
    return fmt::format("must be at most {}, not {}", key.max(), describe(value, key));
  }
  return {};
}

std::string objection_to_string(const std::string& text, const Value& value, const Key& key) {
  const auto& choices = key.choices();
  if (choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end())
    return {};
  return fmt::format("must be one of \"{}\", not {}{}", fmt::join(choices, "\", \""),
                     describe(value, key),
                     key.secret() ? "" : core::suggestion(text, {choices.begin(), choices.end()}));
}

std::string objection(const Value& value, const Key& key) {
  if (!has_type(value, key.type())) {
    return fmt::format("must be {} {}, not {}", article(key.type()), key.type(),
                       describe(value, key));
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) {
    return objection_to_number(static_cast<double>(*integer), value, key);
  }
  if (const auto* number = std::get_if<double>(&value.data)) {
    return objection_to_number(*number, value, key);
  }
  if (const auto* text = std::get_if<std::string>(&value.data)) {
    return objection_to_string(*text, value, key);
  }
  return {};
}

}  // namespace

absl::StatusOr<google::protobuf::Struct> check_plugin_config(const core::FlowConfig& config,
                                                             const core::ExecutorConfig& executor,
                                                             const flow::v1::PluginInfo& info) {
  google::protobuf::Struct checked;
  std::vector<std::string> errors;
  std::vector<std::string> names;
  for (const auto& key : info.config()) names.push_back(key.name());
  const auto& given = std::get<Value::Map>(executor.uses_with.data);

  for (const auto& [name, value] : given) {
    const auto key = std::find_if(info.config().begin(), info.config().end(),
                                  [&](const auto& known) { return known.name() == name; });
    const auto complain = [&](std::string_view text) {
      errors.push_back(core::at_location(
          config, value.at,
          fmt::format("executor \"{}\": uses_with.{} {}", executor.name, name, text)));
    };
    if (key == info.config().end()) {
      complain(names.empty()
                   ? fmt::format("is unknown: plugin \"{}\" takes no configuration", info.id())
                   : fmt::format("is unknown to plugin \"{}\"{}; it knows {}", info.id(),
                                 core::suggestion(name, names), fmt::join(names, ", ")));
    } else if (const auto text = objection(value, *key); !text.empty()) {
      complain(text);
    } else {
      assign(value, (*checked.mutable_fields())[name]);
    }
  }
  for (const auto& key : info.config()) {
    if (std::any_of(given.begin(), given.end(),
                    [&](const auto& entry) { return entry.key == key.name(); })) {
      continue;
    }
    if (key.has_default_()) {
      (*checked.mutable_fields())[key.name()] = key.default_();
    } else if (key.required()) {
      const auto place = executor.uses_with.at.line > 0 ? executor.uses_with.at : executor.at;
      errors.push_back(core::at_location(
          config, place,
          fmt::format(
              "executor \"{}\": uses_with.{} is missing: plugin \"{}\" requires this {}{}{}",
              executor.name, key.name(), info.id(), key.type(), key.summary().empty() ? "" : ", ",
              key.summary())));
    }
  }
  if (!errors.empty()) {
    return core::error(absl::StatusCode::kInvalidArgument,
                       fmt::format("{}", fmt::join(errors, "\n")));
  }
  return checked;
}

absl::Status check_idempotent(const core::FlowConfig& config, const core::ExecutorConfig& executor,
                              const flow::v1::PluginInfo& info) {
  std::vector<std::string> served = {"*"};
  for (const auto& endpoint : info.endpoints()) served.push_back(endpoint.path());
  const auto serves = [&](std::string_view path) {
    return std::find(served.begin(), served.end(), path) != served.end();
  };
  if (info.endpoints().empty() || serves("/default")) return absl::OkStatus();  // whatever it is
  std::vector<std::string> errors;
  for (const core::PlacedText& endpoint : executor.idempotent) {
    if (serves(endpoint.text)) continue;
    errors.push_back(core::at_location(
        config, endpoint.at,
        fmt::format("executor \"{}\": idempotent has {}, which plugin \"{}\" does not serve{}",
                    executor.name, core::in_quotes(endpoint.text), info.id(),
                    core::suggestion(endpoint.text, served))));
  }
  if (errors.empty()) return absl::OkStatus();
  return core::error(absl::StatusCode::kInvalidArgument,
                     fmt::format("{}", fmt::join(errors, "\n")));
}

}  // namespace flow::host
