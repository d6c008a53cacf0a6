// SPDX-License-Identifier: Apache-2.0
#include "flowctl/ping/ping.hpp"

#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "flowctl/commands/command.hpp"
#include "flowctl/console.hpp"
#include "flowctl/explain.hpp"
#include "flowctl/log_format.hpp"
#include "flowctl/server.hpp"
#include "fmt/format.h"

namespace flow::ctl {
namespace {

struct PingOptions {
  Server server;
  std::string target = "executor";
  int attempts = 3;
  int min_successful = 1;
};

// A gateway answers for itself under the name "liveness"; one of Jina's knows only "", and means
// itself by it.
CheckResult ask_gateway(Client& client, const Server& server) {
  const auto address = parse_url(server.url);
  if (!address.ok() || address->protocol != Protocol::Grpc) {
    return client.health({}, server.timeout);
  }
  const CheckResult check = client.health("liveness", server.timeout);
  if (!absl::IsNotFound(check.status)) return check;
  return client.health({}, server.timeout);
}

CheckResult ask(Client& client, const PingOptions& options) {
  if (options.target == "flow") return client.ready(options.server.timeout);
  if (options.target == "gateway") return ask_gateway(client, options.server);
  return client.health({}, options.server.timeout);
}

// With what the library below has to say, which the reference shows as well.
Message explanation(const CheckResult& check, std::string_view who) {
  Message message = explain(check, who);
  if (!check.debug.empty()) {
    message.details.push_back(fmt::format("debug_error_string = \"{}\"", check.debug));
  }
  return message;
}

int run_ping(const PingOptions& options) {
  Client client = options.server.client();
  if (!client.status().ok()) return fail(client.status());
  Ping ping({client.url(), options.attempts, options.min_successful});
  LogFormat format("flowctl", ::getpid());
  // What the client says has a last time of its own, as in the reference.
  LogFormat client_format("flowctl", ::getpid());
  const auto say = [](LogFormat& by, const Message& message) {
    print(by.lines(message, std::chrono::system_clock::now(), standard_output()));
  };
  while (!ping.finished()) {
    say(format, ping.begin_round());
    const CheckResult check = ask(client, options);
    if (!check.ready) say(client_format, explanation(check, options.target));
    const auto answer = check.ready ? Ping::Answer::Good : Ping::Answer::None;
    for (const Message& message : ping.end_round(answer, check.latency)) say(format, message);
    if (ping.pauses()) std::this_thread::sleep_for(Ping::kPause);
  }
  for (const Message& message : ping.summary()) say(format, message);
  return ping.passed() ? kExitOk : kExitError;
}

}  // namespace

void add_ping(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand(
      "ping", "Ask a Flow, an executor or a gateway, three times, whether it is ready");
  const auto options = options_of(command, chosen, run_ping);
  command
      ->add_option("TARGET", options->target,
                   "flow: are all executors that are needed for an answer ready? executor, "
                   "gateway: does this one service answer for itself?")
      ->required()
      ->type_name("{flow,executor,gateway}")
      ->check([](const std::string& target) {
        const bool known = target == "flow" || target == "executor" || target == "gateway";
        return known
                   ? std::string()
                   : "invalid choice: '" + target + "' (choose from 'flow', 'executor', 'gateway')";
      });
  add_url(command, options->server.url,
          "Address and port, e.g. grpc://localhost:12345; grpc, http, ws and with TLS grpcs, "
          "https, wss; grpc if none is given")
      ->required();
  add_timeout(command, options->server.timeout,
              "Of one attempt, in milliseconds; -1 waits forever [3000]");
  command
      ->add_option("--attempts,--retries", options->attempts,
                   "How often to ask [3]; --retries is the older name")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000));
  command
      ->add_option("--min-successful-attempts", options->min_successful,
                   "How many must succeed for exit status 0 [1]")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000));
  add_tls(command, options->server);
  command->final_callback([options, &chosen] {
    if (options->min_successful > options->attempts) {
      throw CLI::ValidationError("--min-successful-attempts",
                                 "is more than --attempts: that can never succeed");
    }
    chosen = [options] { return run_ping(*options); };
  });
}

}  // namespace flow::ctl
