// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "flow/client.hpp"

namespace flow::ctl {

// Whom a command asks, as the command line says it.
struct Server {
  std::string url = "grpc://localhost:12345";
  std::string ca_file;
  bool insecure = false;
  Duration timeout = std::chrono::seconds(3);

  ClientOptions client_options() const;
  Client client() const { return Client(url, client_options()); }
};

// HOST; `help` follows it.
CLI::Option* add_url(CLI::App* command, std::string& url, const std::string& help);
// --ca and --insecure.
void add_tls(CLI::App* command, Server& server);
// --timeout; `help` says of what.
void add_timeout(CLI::App* command, Duration& timeout, const std::string& help);

}  // namespace flow::ctl
