// SPDX-License-Identifier: Apache-2.0
//
// flow-host: brings up the whole Flow of a file, or serves some of its executors in this process.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "core/config.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "host/executor/serve.hpp"
#include "host/supervisor/serve_command.hpp"
#include "host/supervisor/supervise.hpp"

namespace {

using namespace flow;

constexpr int kExitError = 1;
constexpr int kExitUsage = 2;

struct CommandLine {
  std::string config;
  std::string snapshot;
  bool check = false;
  std::vector<std::string> executors;
  std::uint32_t replica = 0;
  std::vector<std::string> listens;
};

void declare(CLI::App& app, CommandLine& line) {
  app.set_version_flag("--version", std::string("flow-host ") + core::kVersion);
  app.add_option("--config", line.config, "The Flow's file, usually flow.toml")
      ->required()
      ->type_name("FILE");
  CLI::Option* executor =
      app.add_option("--executor", line.executors,
                     "Serve only this executor, in this process; repeat it to serve several")
          ->type_name("NAME")
          ->allow_extra_args(false);
  app.add_option("--replica", line.replica, "Which replica of it this is, counted from 0")
      ->needs(executor)
      ->type_name("N");
  app.add_option("--listen", line.listens,
                 "Where to serve it, in place of the file's host and port: NAME=HOST:PORT, "
                 "NAME=unix:PATH or both")
      ->needs(executor)
      ->type_name("NAME=ADDRESS")
      ->allow_extra_args(false);
  app.add_option("--snapshot", line.snapshot,
                 "Read the text of --config here: flow-host keeps it for its children")
      ->needs(executor)
      ->type_name("FILE");
  app.add_flag("--check", line.check, "Only say whether the file and its plugins are in order")
      ->excludes(executor);
}

int fail(const absl::Status& status) {
  std::fputs(core::error_lines(core::message(status)).c_str(), stderr);
  return kExitError;
}

int run(const CommandLine& line) {
  const auto config = core::load_config(line.config, line.snapshot, core::process_environment());
  if (!config.ok()) return fail(config.status());
  if (line.check) return host::check(*config);
  if (line.executors.empty()) return host::supervise(*config);
  const auto specs = host::serve_specs(*config, line.executors, line.replica, line.listens);
  if (!specs.ok()) return fail(specs.status());
  return host::serve_executors(*config, *specs);
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine line;
  CLI::App app(
      "Serve native code without writing a server: brings up the Flow that a file describes.",
      "flow-host");
  declare(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version
    std::fputs(core::error_lines(error.what()).c_str(), stderr);
    std::fputs("run flow-host --help for what it understands\n", stderr);
    return kExitUsage;
  }
  return run(line);
}
