// SPDX-License-Identifier: Apache-2.0
//
// flowctl: asks a Flow how it is, sends it documents, and looks at plugins and files.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "CLI/CLI.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "flowctl/commands/command.hpp"
#include "flowctl/console.hpp"
#include "fmt/format.h"

namespace {

using namespace flow;

int usage_error(std::string_view what, std::string_view command) {
  ctl::fail(core::error(absl::StatusCode::kInvalidArgument, what));
  ctl::remark(fmt::format("run flowctl{}{} --help for what it understands",
                          command.empty() ? "" : " ", command));
  return ctl::kExitUsage;
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Asks a Flow how it is, sends it documents, and looks at plugins and files.",
               "flowctl");
  app.set_version_flag("--version", std::string("flowctl ") + core::kVersion);
  app.require_subcommand(1);
  app.footer(
      "flowctl COMMAND --help tells more. Exit status: 0 if what was asked for is so, 1 if "
      "not, 2 if the command line is wrong.");

  ctl::Run run;
  ctl::add_ping(app, run);
  ctl::add_ready(app, run);
  ctl::add_wait(app, run);
  ctl::add_status(app, run);
  ctl::add_post(app, run);
  ctl::add_reload(app, run);
  ctl::add_plugins(app, run);
  ctl::add_describe(app, run);
  ctl::add_crashes(app, run);
  ctl::add_plot(app, run);
  ctl::add_convert(app, run);

  const std::vector<std::string> commands = commands_of(app);
  const std::string_view word = argc > 1 ? argv[1] : "";
  const bool known = std::find(commands.begin(), commands.end(), word) != commands.end();
  if (!word.empty() && word[0] != '-' && !known) {
    return usage_error(fmt::format("there is no command {}{}", core::in_quotes(word),
                                   core::suggestion(word, commands)),
                       "");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version
    return usage_error(error.what(), known ? word : "");
  }
  const int status = run();
  if (!ctl::output_failed()) return status;
  return ctl::fail(core::error(absl::StatusCode::kDataLoss, "standard output took not all of it"));
}
