// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <string>
#include <thread>

#include "client/src/convert.hpp"
#include "client/src/http_get.hpp"
#include "client/src/json.hpp"
#include "core/status.hpp"
#include "flowctl/commands/command.hpp"
#include "flowctl/console.hpp"
#include "flowctl/server.hpp"
#include "flowctl/status/status_table.hpp"
#include "fmt/format.h"

namespace flow::ctl {
namespace {

constexpr std::chrono::seconds kRefresh{1};

struct StatusOptions {
  Server server;
  bool json = false;
  bool watch = false;
};

// What GET /executors answers, whichever protocol the url names: they share one port.
absl::StatusOr<std::string> fetch(const Server& server) {
  FLOW_ASSIGN_OR_RETURN(const ServerAddress address, parse_url(server.url));
  const auto answer = client::http_get(address, server.client_options(), "/executors",
                                       client::deadline_after(server.timeout));
  if (!answer.ok()) return core::with_context(answer.status(), format_url(address));
  if (answer->status != 200) {
    return core::error(
        absl::StatusCode::kUnimplemented,
        fmt::format("{}: GET /executors was answered with {}, expected 200: is it a flow-gateway?",
                    format_url(address), answer->status));
  }
  return answer->body;
}

absl::StatusOr<std::string> table(const Server& server, const std::string& body) {
  FLOW_ASSIGN_OR_RETURN(const auto report, client::read_object_json(body));
  FLOW_ASSIGN_OR_RETURN(const ServerAddress address, parse_url(server.url));
  return status_table(format_url(address), Json(client::from_proto(report)),
                      standard_output().width);
}

int show(const StatusOptions& options) {
  const auto body = fetch(options.server);
  if (!body.ok()) return fail(body.status());
  if (options.json) {
    print(*body + '\n');
    return kExitOk;
  }
  const auto text = table(options.server, *body);
  if (!text.ok()) return fail(text.status());
  // From the top of an empty screen.
  const bool redraw = options.watch && standard_output().width > 0;
  print((redraw ? "\x1b[H\x1b[J" : "") + *text);
  return kExitOk;
}

int run_status(const StatusOptions& options) {
  for (;;) {
    const int status = show(options);
    if (!options.watch || output_failed()) return status;
    std::this_thread::sleep_for(kRefresh);
  }
}

}  // namespace

void add_status(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand(
      "status", "Show every replica of a Flow: where it stands and why, and what it has to do");
  const auto options = options_of(command, chosen, run_status);
  add_url(command, options->server.url, "The Flow [grpc://localhost:12345]");
  add_timeout(command, options->server.timeout, "In milliseconds; -1 waits forever [3000]");
  command->add_flag("--json", options->json, "For programs: what GET /executors answers");
  command->add_flag("--watch", options->watch, "Every second, until it is interrupted");
  add_tls(command, options->server);
}

}  // namespace flow::ctl
