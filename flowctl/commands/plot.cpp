// SPDX-License-Identifier: Apache-2.0
#include "core/plot.hpp"

#include <string>

#include "core/config.hpp"
#include "flowctl/commands/command.hpp"
#include "flowctl/console.hpp"

namespace flow::ctl {
namespace {

struct PlotOptions {
  std::string config = "flow.toml";
};

int run_plot(const PlotOptions& options) {
  const auto config = core::load_config(options.config, core::process_environment());
  if (!config.ok()) return fail(config.status());
  print(core::plot_mermaid(*config));
  return kExitOk;
}

}  // namespace

void add_plot(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand("plot", "Draw a Flow's graph as a flowchart for Mermaid");
  const auto options = options_of(command, chosen, run_plot);
  command->add_option("--config", options->config, "The Flow's file [flow.toml]")
      ->type_name("FILE");
}

}  // namespace flow::ctl
