// SPDX-License-Identifier: Apache-2.0
#include "host/plugin/plugin_info.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "core/status.hpp"
#include "fmt/format.h"
#include "google/protobuf/util/json_util.h"

namespace flow::host {
namespace {

using flow::v1::PluginInfo;
using google::protobuf::Value;

enum class UnknownFields { Refuse, Ignore };

absl::Status invalid(std::string_view text) {
  return core::error(absl::StatusCode::kInvalidArgument, text);
}

absl::StatusOr<PluginInfo> parse_json(std::string_view json, UnknownFields unknown) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = unknown == UnknownFields::Ignore;
  PluginInfo info;
  const auto status =
      google::protobuf::util::JsonStringToMessage({json.data(), json.size()}, &info, options);
  if (!status.ok()) {
    const std::string reason(status.message().data(), status.message().size());
    return invalid(fmt::format("its metadata cannot be read: {}", reason));
  }
  return info;
}

absl::Status check_abi(const PluginInfo& info, AbiVersion host) {
  const auto& abi = info.abi();
  const bool minor_fits =
      abi.minor() <= host.minor || (abi.has_min_minor() && abi.min_minor() <= host.minor);
  if (abi.major() == host.major && minor_fits) return absl::OkStatus();
  return core::error(
      absl::StatusCode::kFailedPrecondition,
      fmt::format(
          "plugin \"{}\" was built for ABI {}.{}, this host offers {}.{}: rebuild it or update "
          "flow-host",
          info.id(), abi.major(), abi.minor(), host.major, host.minor));
}

struct ConfigType {
  std::string_view name;
  Value::KindCase kind;
};
constexpr std::array kConfigTypes = {
    ConfigType{"string", Value::kStringValue}, ConfigType{"integer", Value::kNumberValue},
    ConfigType{"number", Value::kNumberValue}, ConfigType{"boolean", Value::kBoolValue},
    ConfigType{"list", Value::kListValue},     ConfigType{"map", Value::kStructValue}};

absl::Status check_default(const PluginInfo::ConfigKey& key, Value::KindCase kind) {
  const auto& value = key.default_();
  if (value.kind_case() != kind) return invalid(fmt::format("its default is no {}", key.type()));
  if (kind == Value::kNumberValue) {
    const double number = value.number_value();
    if (key.type() == "integer" && number != std::trunc(number)) {
      return invalid("its default is no integer");
    }
    if ((key.has_min() && number < key.min()) || (key.has_max() && number > key.max())) {
      return invalid("its default lies outside min and max");
    }
  }
  if (key.choices_size() > 0 && std::find(key.choices().begin(), key.choices().end(),
                                          value.string_value()) == key.choices().end()) {
    return invalid("its default is none of its choices");
  }
  return absl::OkStatus();
}

absl::Status check_key(const PluginInfo::ConfigKey& key) {
  const auto* type = std::find_if(kConfigTypes.begin(), kConfigTypes.end(),
                                  [&](const auto& known) { return known.name == key.type(); });
  if (type == kConfigTypes.end()) {
    return invalid(
        fmt::format("its type \"{}\" is none of string, integer, number, boolean, list "
                    "and map",
                    key.type()));
  }
  if ((key.has_min() || key.has_max()) && type->kind != Value::kNumberValue) {
    return invalid(fmt::format("a {} has no min and max", key.type()));
  }
  if (key.has_min() && key.has_max() && key.min() > key.max()) {
    return invalid("its min is larger than its max");
  }
  if (key.choices_size() > 0 && type->kind != Value::kStringValue) {
    return invalid(fmt::format("a {} has no choices, only a string does", key.type()));
  }
  return key.has_default_() ? check_default(key, type->kind) : absl::OkStatus();
}

// `what` the keys are, as messages call them; `seen` has the names that are taken.
absl::Status check_keys(std::string_view what,
                        const google::protobuf::RepeatedPtrField<PluginInfo::ConfigKey>& keys,
                        std::set<std::string> seen = {}) {
  for (const auto& key : keys) {
    if (key.name().empty()) return invalid(fmt::format("a {} has no name", what));
    const auto context = fmt::format("{} \"{}\"", what, key.name());
    if (!seen.insert(key.name()).second) return invalid(context + " is listed twice");
    if (auto status = check_key(key); !status.ok()) return core::with_context(status, context);
  }
  return absl::OkStatus();
}

absl::Status check_parameters(const PluginInfo::Endpoint& endpoint) {
  std::set<std::string> names;
  for (const auto& name : endpoint.parameters()) {
    if (name.empty()) return invalid("a parameter has no name");
    if (!names.insert(name).second) {
      return invalid(fmt::format("parameter \"{}\" is listed twice", name));
    }
  }
  for (const auto& key : endpoint.parameter_schema()) {
    if (!key.secret()) continue;
    return invalid(fmt::format(
        "parameter \"{}\" is marked secret: only the keys of \"config\" can be", key.name()));
  }
  return check_keys("parameter", endpoint.parameter_schema(), std::move(names));
}

absl::Status check_endpoints(const PluginInfo& info) {
  std::set<std::string> seen;
  for (const auto& endpoint : info.endpoints()) {
    const auto& path = endpoint.path();
    if (path != "_jina_dry_run_" && !path.starts_with('/')) {
      return invalid(fmt::format("endpoint \"{}\" does not start with '/'", path));
    }
    if (!seen.insert(path).second) {
      return invalid(fmt::format("endpoint \"{}\" is listed twice", path));
    }
    if (auto status = check_parameters(endpoint); !status.ok()) {
      return core::with_context(status, fmt::format("endpoint \"{}\"", path));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view metadata_text(std::string_view note) {
  const auto last = note.find_last_not_of('\0');
  return note.substr(0, last == note.npos ? 0 : last + 1);
}

absl::StatusOr<PluginInfo> parse_plugin_info(std::string_view json, AbiVersion host) {
  // The ABI first: for a plugin of another version, "unknown field" would be the wrong complaint.
  FLOW_ASSIGN_OR_RETURN(PluginInfo info, parse_json(json, UnknownFields::Ignore));
  if (info.id().empty()) return invalid("its metadata has no id");
  FLOW_RETURN_IF_ERROR(check_abi(info, host));
  if (info.abi().minor() <= host.minor) {
    FLOW_ASSIGN_OR_RETURN(info, parse_json(json, UnknownFields::Refuse));
  }
  FLOW_RETURN_IF_ERROR(check_endpoints(info));
  FLOW_RETURN_IF_ERROR(check_keys("config key", info.config()));
  return info;
}

}  // namespace flow::host
