// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <string>

#include "CLI/CLI.hpp"
#include "core/config.hpp"
#include "core/net_address.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "core/version.hpp"
#include "fmt/format.h"
#include "gateway/run.hpp"
#include "gateway/tls/tls_files.hpp"

namespace {

int fail(const absl::Status& status) {
  std::fputs(flow::core::error_lines(flow::core::message(status)).c_str(), stderr);
  return 1;
}

// The files that only this program reads.
int check(const flow::core::FlowConfig& config) {
  if (!config.gateway.tls) return 0;
  const auto tls = flow::gateway::TlsFiles::load(config);
  if (!tls.ok()) return fail(tls.status());
  if (!(*tls)->warning().empty()) fmt::print(stderr, "warning: {}\n", (*tls)->warning());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string file;
  std::string snapshot;
  std::string listen;
  bool only_check = false;
  CLI::App app("The gateway of a Flow: one port for gRPC and HTTP in front of its executors.",
               "flow-gateway");
  app.add_option("--config", file, "The Flow's configuration file")->required();
  app.add_option("--snapshot", snapshot, "Read its text here: flow-host keeps it for its children");
  app.add_option("--listen", listen, "HOST:PORT to serve at instead of the file's");
  app.add_flag("--check", only_check, "Only say whether the files that it reads are in order");
  app.set_version_flag("--version", std::string("flow-gateway ") + flow::core::kVersion);
  CLI11_PARSE(app, argc, argv);

  const auto config = flow::core::load_config(file, snapshot, flow::core::process_environment());
  if (!config.ok()) return fail(config.status());
  if (only_check) return check(*config);
  flow::core::NetAddress address{.host = config->gateway.host, .port = config->gateway.port};
  if (!listen.empty()) {
    const auto parsed = flow::core::parse_address(listen);
    if (!parsed.ok()) return fail(parsed.status());
    address = *parsed;
  }
  return flow::gateway::run_gateway(*config, address);
}
