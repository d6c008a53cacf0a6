// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/config.hpp"
#include "core/status.hpp"
#include "flowctl/commands/command.hpp"
#include "flowctl/console.hpp"
#include "flowctl/plugins/plugin_list.hpp"
#include "host/plugin/discovery.hpp"
#include "host/plugin/inspect.hpp"

namespace flow::ctl {
namespace {

struct PluginsOptions {
  std::vector<std::string> folders;
  std::string config;
  bool json = false;
};

struct DescribeOptions {
  std::string plugin;
  std::string config;
  bool json = false;
};

// Where a Flow's plugins are looked for: where a file says, or else in what is here.
absl::StatusOr<std::vector<std::string>> plugin_folders(const std::string& config) {
  std::error_code ignored;
  if (config.empty() && !std::filesystem::exists("flow.toml", ignored)) {
    return std::vector<std::string>{"plugins"};
  }
  FLOW_ASSIGN_OR_RETURN(
      core::FlowConfig flow,
      core::load_config(config.empty() ? "flow.toml" : config, core::process_environment()));
  return std::move(flow.plugins);
}

int run_plugins(const PluginsOptions& options) {
  std::vector<std::string> folders = options.folders;
  if (folders.empty()) {
    auto configured = plugin_folders(options.config);
    if (!configured.ok()) return fail(configured.status());
    folders = *std::move(configured);
  }
  const PluginList list = list_plugins(folders);
  print(options.json ? plugins_json(list) + '\n' : plugins_text(list, standard_output().width));
  return list.in_order() ? kExitOk : kExitError;
}

absl::StatusOr<std::string> plugin_file(const DescribeOptions& options) {
  // A file that is here needs no "./" before it.
  std::error_code ignored;
  if (std::filesystem::is_regular_file(options.plugin, ignored)) {
    return std::filesystem::absolute(options.plugin).lexically_normal().string();
  }
  FLOW_ASSIGN_OR_RETURN(const std::vector<std::string> folders, plugin_folders(options.config));
  return host::find_plugin(options.plugin, folders);
}

int run_describe(const DescribeOptions& options) {
  const auto path = plugin_file(options);
  if (!path.ok()) return fail(path.status());
  const auto facts = host::inspect_plugin(*path);
  if (!facts.ok()) return fail(facts.status());
  print(options.json ? describe_json(*path, *facts) + '\n' : describe_text(*path, *facts));
  return kExitOk;
}

}  // namespace

void add_plugins(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand(
      "plugins", "List the plugins of a Flow or of folders; exits 1 if any file is refused");
  const auto options = options_of(command, chosen, run_plugins);
  CLI::Option* folders =
      command->add_option("DIR", options->folders, "Folders to look into")->type_name("");
  command
      ->add_option("--config", options->config,
                   "The Flow whose plugins these are [flow.toml if it is here, else the folder "
                   "plugins]")
      ->type_name("FILE")
      ->excludes(folders);
  command->add_flag("--json", options->json, "For programs");
}

void add_describe(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand(
      "describe", "Tell everything that a plugin says of itself, without running any of its code");
  const auto options = options_of(command, chosen, run_describe);
  command
      ->add_option("PLUGIN", options->plugin,
                   "The plugin's file (NAME.so), or its name in a Flow's folders")
      ->required()
      ->type_name("");
  command->add_option("--config", options->config, "The Flow whose folders are meant [flow.toml]")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "For programs");
}

}  // namespace flow::ctl
