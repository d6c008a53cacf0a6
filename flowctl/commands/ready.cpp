// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "core/text.hpp"
#include "flowctl/commands/command.hpp"
#include "flowctl/console.hpp"
#include "flowctl/explain.hpp"
#include "flowctl/server.hpp"
#include "fmt/format.h"

namespace flow::ctl {
namespace {

using std::chrono::steady_clock;

struct ReadyOptions {
  Server server;
  bool deep = false;
};

// Between two questions of `wait`.
constexpr Duration kFirstPause = std::chrono::milliseconds(50);
constexpr Duration kLongestPause = std::chrono::seconds(1);
// Of one question; a gateway that knows answers within milliseconds.
constexpr Duration kQuestionTimeout = std::chrono::seconds(3);

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// One line for what is wrong and one for each piece of evidence.
std::string verdict_lines(const CheckResult& check) {
  const Message why = explain(check, "Flow");
  std::string text = fmt::format("{} is not ready\n", check.url);
  if (!check.status.ok()) text = fmt::format("{}: {}\n", check.url, why.text);
  for (const std::string& detail : why.details) {
    text += fmt::format("  {}\n", core::one_line(detail));
  }
  return text;
}

int run_ready(const ReadyOptions& options) {
  Client client = options.server.client();
  if (!client.status().ok()) return fail(client.status());
  const CheckResult check =
      client.ready(options.server.timeout, options.deep ? DryRun::Deep : DryRun::Known);
  if (!check.ready) {
    print(verdict_lines(check));
    return kExitError;
  }
  print(fmt::format("{} is ready ({:.1f} ms)\n", check.url, seconds_of(check.latency) * 1000));
  return kExitOk;
}

// What keeps it from being ready: the first piece of evidence without the native stack that may
// follow it, or else the reason.
std::string cause_of(const CheckResult& check) {
  if (check.stacks.empty()) return check.reason();
  const std::string& evidence = check.stacks.front();
  return evidence.substr(0, evidence.find('\n'));
}

int run_wait(const Server& server) {
  Client client = server.client();
  if (!client.status().ok()) return fail(client.status());
  const auto begin = steady_clock::now();
  const auto elapsed = [begin] { return seconds_of(steady_clock::now() - begin); };
  Duration pause = kFirstPause;
  std::string shown;
  for (;;) {
    const Duration left = begin + server.timeout - steady_clock::now();
    const CheckResult check = client.ready(std::min(left, kQuestionTimeout));
    if (check.ready) {
      print(fmt::format("{} is ready after {:.1f} s\n", check.url, elapsed()));
      return kExitOk;
    }
    if (cause_of(check) != shown) {
      shown = cause_of(check);
      print(fmt::format("waiting for {}: {}\n", client.url(), core::one_line(shown)));
    }
    if (begin + server.timeout - steady_clock::now() <= pause) {
      print(fmt::format("gave up after {:.1f} s: ", elapsed()) + verdict_lines(check));
      return kExitError;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
}

}  // namespace

void add_ready(CLI::App& app, Run& chosen) {
  CLI::App* command =
      app.add_subcommand("ready", "Ask once whether a Flow is ready, and why it is not");
  const auto options = options_of(command, chosen, run_ready);
  add_url(command, options->server.url, "The Flow [grpc://localhost:12345]");
  add_timeout(command, options->server.timeout, "In milliseconds; -1 waits forever [3000]");
  command->add_flag("--deep", options->deep, "Send a request through all executors");
  add_tls(command, options->server);
}

void add_wait(CLI::App& app, Run& chosen) {
  CLI::App* command =
      app.add_subcommand("wait", "Wait until a Flow is ready, and say what it waits for");
  const auto server = options_of(command, chosen, run_wait);
  server->timeout = std::chrono::minutes(1);
  add_url(command, server->url, "The Flow [grpc://localhost:12345]");
  add_timeout(command, server->timeout, "Of all of it, in milliseconds; -1 waits forever [60000]");
  add_tls(command, *server);
}

}  // namespace flow::ctl
