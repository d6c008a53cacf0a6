// SPDX-License-Identifier: Apache-2.0
#include "flowctl/plugins/plugin_list.hpp"

#include <algorithm>
#include <map>

#include "core/status.hpp"
#include "core/text.hpp"
#include "flowctl/table.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "host/plugin/discovery.hpp"

namespace flow::ctl {
namespace {

using flow::v1::PluginInfo;

std::string quoted(std::string_view text) { return '"' + core::escape_json(text) + '"'; }

std::string abi_text(const PluginInfo& info) {
  return fmt::format("{}.{}", info.abi().major(), info.abi().minor());
}

std::vector<std::string> endpoint_paths(const PluginInfo& info) {
  std::vector<std::string> paths;
  for (const auto& endpoint : info.endpoints()) paths.push_back(endpoint.path());
  return paths;
}

std::string json_list(const std::vector<std::string>& texts) {
  std::vector<std::string> items;
  for (const std::string& text : texts) items.push_back(quoted(text));
  return fmt::format("[{}]", fmt::join(items, ","));
}

// inspect_plugin puts the path before what it says; here it stands elsewhere already.
std::string refusal(const FoundPlugin& plugin) {
  std::string_view reason = core::message(plugin.facts.status());
  const std::string prefix = plugin.path + ": ";
  if (reason.starts_with(prefix)) reason.remove_prefix(prefix.size());
  return std::string(reason);
}

std::string value_text(const google::protobuf::Value& value) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kStringValue:
      return quoted(value.string_value());
    case google::protobuf::Value::kNumberValue:
      return fmt::format("{}", value.number_value());
    case google::protobuf::Value::kBoolValue:
      return value.bool_value() ? "true" : "false";
    case google::protobuf::Value::kListValue:
    case google::protobuf::Value::kStructValue:
      return "(in the metadata)";
    default:
      return "null";
  }
}

// "integer, 1 to 4096, default 256"
std::string key_text(const PluginInfo::ConfigKey& key) {
  std::string text = key.type();
  if (key.has_min() && key.has_max()) {
    text += fmt::format(", {} to {}", key.min(), key.max());
  } else if (key.has_min()) {
    text += fmt::format(", from {}", key.min());
  } else if (key.has_max()) {
    text += fmt::format(", up to {}", key.max());
  }
  if (key.choices_size() > 0) text += fmt::format(", one of {}", fmt::join(key.choices(), ", "));
  if (key.required()) text += ", required";
  if (key.has_default_()) text += ", default " + value_text(key.default_());
  if (key.secret()) text += ", secret";
  return text;
}

// "a, b; c" of what is there.
std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string endpoint_text(const PluginInfo::Endpoint& endpoint) {
  std::vector<std::string> parts;
  if (!endpoint.summary().empty()) parts.push_back(endpoint.summary());
  if (endpoint.reads_size() > 0) {
    parts.push_back(fmt::format("reads {}", fmt::join(endpoint.reads(), ", ")));
  }
  if (endpoint.writes_size() > 0) {
    parts.push_back(fmt::format("writes {}", fmt::join(endpoint.writes(), ", ")));
  }
  if (endpoint.parameters_size() > 0) {
    parts.push_back(fmt::format("parameters {}", fmt::join(endpoint.parameters(), ", ")));
  }
  return joined(parts);
}

std::string needs_text(const PluginInfo::Needs& needs) {
  std::vector<std::string> parts;
  if (needs.gpu()) parts.emplace_back("a GPU");
  if (needs.network()) parts.emplace_back("the network");
  if (needs.threads() > 0) parts.push_back(fmt::format("{} threads", needs.threads()));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string batch_text(const PluginInfo::Batch& batch) {
  std::vector<std::string> parts;
  if (batch.max() > 0) parts.push_back(fmt::format("at most {}", batch.max()));
  if (batch.preferred() > 0) parts.push_back(fmt::format("{} preferred", batch.preferred()));
  if (batch.wait_ms() > 0) parts.push_back(fmt::format("waits {} ms", batch.wait_ms()));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

bool PluginList::in_order() const {
  return unreadable.empty() &&
         std::ranges::all_of(plugins, [](const FoundPlugin& plugin) { return plugin.facts.ok(); });
}

PluginList list_plugins(const std::vector<std::string>& folders) {
  PluginList list;
  std::map<std::string, std::string> first_by_name;
  for (const std::string& folder : folders) {
    const auto files = host::plugin_files(folder);
    if (!files.ok()) {
      list.unreadable.push_back(fmt::format("{}: {}", folder, core::message(files.status())));
      continue;
    }
    for (const host::PluginFile& file : *files) {
      const auto [first, is_first] = first_by_name.emplace(file.name, file.path);
      list.plugins.push_back({file.name, file.path, host::inspect_plugin(file.path),
                              is_first ? std::string() : first->second});
    }
  }
  return list;
}

std::string plugins_text(const PluginList& list, std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  std::string refused;
  for (const FoundPlugin& plugin : list.plugins) {
    if (!plugin.facts.ok()) {
      refused += core::one_line(fmt::format("refused {}: {}", plugin.path, refusal(plugin))) + '\n';
      continue;
    }
    const PluginInfo& info = plugin.facts->info;
    rows.push_back({plugin.name, info.version(), abi_text(info),
                    fmt::format("{}", fmt::join(endpoint_paths(info), " ")),
                    plugin.hidden_by.empty()
                        ? plugin.path
                        : fmt::format("{} (hidden by {})", plugin.path, plugin.hidden_by)});
  }
  std::string text;
  if (!rows.empty()) {
    text = format_table({{"NAME"}, {"VERSION"}, {"ABI"}, {"ENDPOINTS"}, {"FILE"}}, rows, width);
  } else if (refused.empty() && list.unreadable.empty()) {
    text = "no plugins\n";
  }
  text += refused;
  for (const std::string& folder : list.unreadable) text += core::one_line(folder) + '\n';
  return text;
}

std::string plugins_json(const PluginList& list) {
  std::vector<std::string> taken;
  std::vector<std::string> refused;
  for (const FoundPlugin& plugin : list.plugins) {
    const std::string head =
        fmt::format(R"("name":{},"path":{})", quoted(plugin.name), quoted(plugin.path));
    if (!plugin.facts.ok()) {
      refused.push_back(fmt::format(R"({{{},"reason":{}}})", head, quoted(refusal(plugin))));
      continue;
    }
    const PluginInfo& info = plugin.facts->info;
    taken.push_back(fmt::format(
        R"({{{},"id":{},"version":{},"abi":"{}","endpoints":{},"build_id":"{}","hidden_by":{}}})",
        head, quoted(info.id()), quoted(info.version()), abi_text(info),
        json_list(endpoint_paths(info)), plugin.facts->build_id, quoted(plugin.hidden_by)));
  }
  return fmt::format(R"({{"plugins":[{}],"refused":[{}],"unreadable":{}}})", fmt::join(taken, ","),
                     fmt::join(refused, ","), json_list(list.unreadable));
}

std::string describe_text(const std::string& path, const host::PluginFacts& facts) {
  const PluginInfo& info = facts.info;
  std::string text;
  const auto line = [&text](std::string_view label, std::string_view value) {
    if (!value.empty()) text += fmt::format("{:10} {}\n", label, core::one_line(value));
  };
  const std::uint32_t oldest =
      info.abi().has_min_minor() ? info.abi().min_minor() : info.abi().minor();
  line("id", info.id());
  line("version", info.version());
  line("summary", info.summary());
  line("license", info.license());
  line("abi",
       fmt::format("{} (runs on hosts from {}.{})", abi_text(info), info.abi().major(), oldest));
  line("file", path);
  line("build id", facts.build_id);
  line("libraries", fmt::format("{}", fmt::join(facts.needed, " ")));
  line("batch", batch_text(info.batch()));
  line("needs", needs_text(info.needs()));

  std::vector<std::vector<std::string>> rows;
  for (const auto& endpoint : info.endpoints()) {
    rows.push_back({endpoint.path(), endpoint_text(endpoint)});
  }
  if (!rows.empty()) text += '\n' + format_table({{"ENDPOINT"}, {"WHAT IT DOES"}}, rows, 0);
  rows.clear();
  for (const auto& key : info.config()) rows.push_back({key.name(), key_text(key), key.summary()});
  if (!rows.empty()) {
    text += '\n' + format_table({{"USES_WITH"}, {"VALUE"}, {"MEANING"}}, rows, 0);
  }
  return text;
}

std::string describe_json(const std::string& path, const host::PluginFacts& facts) {
  return fmt::format(R"({{"path":{},"build_id":"{}","libraries":{},"metadata":{}}})", quoted(path),
                     facts.build_id, json_list(facts.needed), facts.metadata);
}

}  // namespace flow::ctl
