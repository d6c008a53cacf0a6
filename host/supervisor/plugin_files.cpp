// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/plugin_files.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "fmt/format.h"
#include "host/plugin/discovery.hpp"
#include "host/plugin/inspect.hpp"
#include "host/plugin/resolve.hpp"

namespace flow::host {
namespace {

namespace fs = std::filesystem;

absl::Status preflight(const core::FlowConfig& config, std::size_t executor) {
  core::FlowConfig alone = config;
  alone.executors = {config.executors[executor]};
  return resolve_plugins(alone).status();
}

bool in_folder_of(const core::FlowConfig& config, const fs::path& path) {
  return path.extension() == ".so" &&
         std::ranges::any_of(config.plugins, [&](const fs::path& folder) {
           return (folder / path.filename()).lexically_normal() == path;
         });
}

PluginFiles::Stranger meet(const std::string& path) {
  const auto facts = inspect_plugin(path);
  if (!facts.ok()) return {path, facts.status(), {}};
  const auto& info = facts->info;
  return {path, absl::OkStatus(),
          fmt::format("\"{}\" {} (ABI {}.{})", info.id(), info.version(), info.abi().major(),
                      info.abi().minor())};
}

}  // namespace

PluginFiles::Seen PluginFiles::see(const core::FlowConfig& config, std::size_t executor) {
  auto path = find_plugin(config.executors[executor].uses, config.plugins);
  if (!path.ok()) return {};
  const auto facts = inspect_plugin(*path);
  const FileIdentity identity = identify_file(*path);
  return {*std::move(path), identity, facts.ok() ? facts->build_id : std::string()};
}

void PluginFiles::remember(const core::FlowConfig& config) {
  seen_.clear();
  for (std::size_t i = 0; i < config.executors.size(); ++i) seen_.push_back(see(config, i));
}

PluginFiles::Changes PluginFiles::look(const core::FlowConfig& config,
                                       const std::set<std::string>& paths) {
  Changes changes;
  std::set<std::string> used;
  for (std::size_t i = 0; i < config.executors.size(); ++i) {
    Seen now = see(config, i);
    used.insert(now.path);
    if (!paths.contains(now.path)) continue;
    const Seen before = std::exchange(seen_[i], now);
    if (now.path == before.path && now.identity == before.identity) continue;
    // The same build again, moved into its own place.
    const bool same_build = !now.build_id.empty() && now.build_id == before.build_id;
    if (same_build && now.path == before.path) continue;
    const bool in_place = now.path == before.path && now.identity.inode == before.identity.inode &&
                          now.identity.device == before.identity.device;
    changes.executors.push_back(
        {i, fmt::format("{} was {}", now.path, in_place ? "written to" : "replaced"),
         preflight(config, i), in_place});
  }
  for (const std::string& path : paths) {
    if (!used.contains(path) && in_folder_of(config, path)) changes.others.push_back(meet(path));
  }
  return changes;
}

std::set<std::string> PluginFiles::folders(const core::FlowConfig& config) {
  std::set<std::string> folders(config.plugins.begin(), config.plugins.end());
  for (const core::ExecutorConfig& executor : config.executors) {
    if (executor.uses.find('/') != std::string::npos) {
      folders.insert(fs::path(executor.uses).parent_path());
    }
  }
  return folders;
}

}  // namespace flow::host
