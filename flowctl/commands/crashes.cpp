// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <string>

#include "core/config.hpp"
#include "core/status.hpp"
#include "flowctl/commands/command.hpp"
#include "flowctl/console.hpp"
#include "flowctl/crashes/crash_list.hpp"

namespace flow::ctl {
namespace {

struct CrashesOptions {
  std::string name;
  std::string folder;
  std::string config;
  bool json = false;
};

// Where a Flow leaves them: as a file says, or as a Flow without a word about it.
absl::StatusOr<std::string> crash_folder_of(const CrashesOptions& options) {
  if (!options.folder.empty()) return options.folder;
  const auto environment = core::process_environment();
  std::string configured;
  std::error_code ignored;
  if (!options.config.empty() || std::filesystem::exists("flow.toml", ignored)) {
    FLOW_ASSIGN_OR_RETURN(
        const core::FlowConfig flow,
        core::load_config(options.config.empty() ? "flow.toml" : options.config, environment));
    configured = flow.supervise.crash_reports;
  }
  std::string folder = host::crash_folder(configured, environment);
  if (folder.empty()) return host::no_crash_folder();
  return folder;
}

int run_crashes(const CrashesOptions& options) {
  const auto folder = crash_folder_of(options);
  if (!folder.ok()) return fail(folder.status());
  if (!options.name.empty()) {
    const auto report = host::read_crash(*folder, options.name);
    if (!report.ok()) return fail(report.status());
    print(options.json ? crash_json(options.name, *report) + '\n' : crash_text(*report));
    return kExitOk;
  }
  const auto crashes = find_crashes(*folder);
  if (!crashes.ok()) return fail(crashes.status());
  print(options.json ? crashes_json(*folder, *crashes) + '\n'
                     : crashes_text(*folder, *crashes, standard_output().width));
  return kExitOk;
}

}  // namespace

void add_crashes(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand(
      "crashes", "List what executors wrote down when they died of a signal, or show one report");
  const auto options = options_of(command, chosen, run_crashes);
  command->add_option("NAME", options->name, "Show this report, all of it")->type_name("");
  CLI::Option* folder =
      command->add_option("--dir", options->folder, "The folder of the reports")->type_name("DIR");
  command
      ->add_option("--config", options->config,
                   "The Flow whose folder is meant [flow.toml if it is here, else the folder of "
                   "Flows that name none]")
      ->type_name("FILE")
      ->excludes(folder);
  command->add_flag("--json", options->json, "For programs");
}

}  // namespace flow::ctl
