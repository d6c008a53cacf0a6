// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "core/status.hpp"
#include "core/text.hpp"
#include "flowctl/commands/command.hpp"
#include "flowctl/console.hpp"
#include "flowctl/server.hpp"
#include "flowctl/supervisor_client.hpp"
#include "host/supervisor/runtime_folder.hpp"

namespace flow::ctl {
namespace {

struct ReloadOptions {
  std::string executor;
  Choice choice;
  Duration timeout = std::chrono::minutes(5);
};

int run_reload(const ReloadOptions& options) {
  const auto deadline = std::chrono::steady_clock::now() + options.timeout;
  Choice choice = options.choice;
  if (!choice.config.empty()) {
    std::error_code ignored;  // then nobody has it
    choice.config = std::filesystem::absolute(choice.config, ignored);
  }
  const auto running = find_running(host::runtime_parent(), choice, deadline);
  if (!running.ok()) return fail(running.status());
  auto client = SupervisorClient::connect(running->control_path);
  if (!client.ok()) return fail(client.status());
  flow::v1::SupervisorRequest request;
  request.mutable_reload()->set_executor(options.executor);
  if (const absl::Status sent = client->send(request); !sent.ok()) return fail(sent);
  for (;;) {
    const auto answer = client->receive(deadline);
    if (!answer.ok()) return fail(answer.status());
    if (!answer->line().empty() && answer->failed()) {
      fail(core::error(absl::StatusCode::kAborted, answer->line()));
    } else if (!answer->line().empty()) {
      print(answer->line() + '\n');
    }
    if (answer->last()) return answer->failed() ? kExitError : kExitOk;
  }
}

}  // namespace

void add_reload(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand(
      "reload", "Replace the processes of an executor, or have a Flow read its file again");
  const auto options = options_of(command, chosen, run_reload);
  command->add_option("NAME", options->executor, "The executor; without it: the file is read again")
      ->type_name("");
  command->add_option("--pid", options->choice.pid, "The flow-host that is meant")
      ->type_name("PID");
  command->add_option("--config", options->choice.config, "The file of the Flow that is meant")
      ->type_name("FILE");
  add_timeout(command, options->timeout, "In milliseconds; -1 waits forever [300000]");
}

}  // namespace flow::ctl
