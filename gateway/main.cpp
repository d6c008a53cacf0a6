// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <string>

#include "CLI/CLI.hpp"
#include "core/config.hpp"
#include "core/net_address.hpp"
#include "core/status.hpp"
#include "core/version.hpp"
#include "fmt/format.h"
#include "gateway/run.hpp"

namespace {

int fail(const absl::Status& status) {
  fmt::print(stderr, "error: {}\n", flow::core::message(status));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string file;
  std::string listen;
  CLI::App app("The gateway of a Flow: one port for gRPC and HTTP in front of its executors.",
               "flow-gateway");
  app.add_option("--config", file, "The Flow's configuration file")->required();
  app.add_option("--listen", listen, "HOST:PORT to serve at instead of the file's");
  app.set_version_flag("--version", std::string("flow-gateway ") + flow::core::kVersion);
  CLI11_PARSE(app, argc, argv);

  const auto config = flow::core::load_config(file, flow::core::process_environment());
  if (!config.ok()) return fail(config.status());
  flow::core::NetAddress address{.host = config->gateway.host, .port = config->gateway.port};
  if (!listen.empty()) {
    const auto parsed = flow::core::parse_address(listen);
    if (!parsed.ok()) return fail(parsed.status());
    address = *parsed;
  }
  return flow::gateway::run_gateway(*config, address);
}
