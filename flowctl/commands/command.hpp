// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "CLI/CLI.hpp"
#include "flowctl/exit_status.hpp"

// The commands of flowctl, each in a file of its own.
namespace flow::ctl {

// What the command line asked for: does it, and gives the exit status.
using Run = std::function<int()>;

// Each declares its command; if the command line names it, `chosen` is set while it is parsed.
void add_ping(CLI::App& app, Run& chosen);
void add_ready(CLI::App& app, Run& chosen);
void add_wait(CLI::App& app, Run& chosen);
void add_post(CLI::App& app, Run& chosen);
void add_status(CLI::App& app, Run& chosen);
void add_reload(CLI::App& app, Run& chosen);
void add_plugins(CLI::App& app, Run& chosen);
void add_describe(CLI::App& app, Run& chosen);
void add_crashes(CLI::App& app, Run& chosen);
void add_plot(CLI::App& app, Run& chosen);
void add_convert(CLI::App& app, Run& chosen);

// Ties options to their command. They are shared by the parser, which fills them, and by the Run,
// which may outlive it.
template <typename Options>
std::shared_ptr<Options> options_of(CLI::App* command, Run& chosen,
                                    int (*run)(const Options& options)) {
  auto options = std::make_shared<Options>();
  command->callback([options, run, &chosen] { chosen = [options, run] { return run(*options); }; });
  return options;
}

}  // namespace flow::ctl
