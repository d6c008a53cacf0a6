// SPDX-License-Identifier: Apache-2.0
#include "host/plugin/resolve.hpp"

#include <utility>

#include "core/status.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "host/plugin/config_schema.hpp"
#include "host/plugin/discovery.hpp"
#include "host/plugin/inspect.hpp"

namespace flow::host {
namespace {

// Complaints about the plugin itself stand at `uses`, those about its configuration at their keys.
absl::StatusOr<ResolvedPlugin> resolve_plugin(const core::FlowConfig& config,
                                              const core::ExecutorConfig& executor) {
  const auto at_uses = [&](const absl::Status& status) {
    return core::error(status.code(),
                       core::at_location(config, executor.uses_at,
                                         fmt::format("executor \"{}\": {}", executor.name,
                                                     core::message(status))));
  };
  auto path = find_plugin(executor.uses, config.plugins);
  if (!path.ok()) return at_uses(path.status());
  auto facts = inspect_plugin(*path);
  if (!facts.ok()) return at_uses(facts.status());
  FLOW_ASSIGN_OR_RETURN(auto checked, check_plugin_config(config, executor, facts->info));
  FLOW_RETURN_IF_ERROR(check_idempotent(config, executor, facts->info));
  return ResolvedPlugin{*std::move(path), std::move(facts->info), std::move(facts->build_id),
                        std::move(checked)};
}

}  // namespace

absl::StatusOr<std::vector<ResolvedPlugin>> resolve_plugins(const core::FlowConfig& config) {
  std::vector<ResolvedPlugin> resolved;
  std::vector<std::string> errors;
  for (const auto& executor : config.executors) {
    auto plugin = resolve_plugin(config, executor);
    if (plugin.ok()) {
      resolved.push_back(*std::move(plugin));
    } else {
      errors.emplace_back(core::message(plugin.status()));
    }
  }
  if (!errors.empty()) {
    return core::error(absl::StatusCode::kFailedPrecondition,
                       fmt::format("{}", fmt::join(errors, "\n")));
  }
  return resolved;
}

}  // namespace flow::host
