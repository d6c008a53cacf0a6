// SPDX-License-Identifier: Apache-2.0
#include "flowctl/server.hpp"

#include "core/status.hpp"
#include "flowctl/timeout.hpp"

namespace flow::ctl {

ClientOptions Server::client_options() const {
  ClientOptions options;
  options.tls.ca_file = ca_file;
  if (insecure) options.tls.verification = Verification::None;
  options.connect_timeout = timeout;
  return options;
}

CLI::Option* add_url(CLI::App* command, std::string& url, const std::string& help) {
  return command->add_option("HOST", url, help)->type_name("")->check([](const std::string& text) {
    return std::string(core::message(parse_url(text).status()));
  });
}

void add_tls(CLI::App* command, Server& server) {
  CLI::Option* ca = command
                        ->add_option("--ca", server.ca_file,
                                     "Whom to trust, a PEM file [the system's authorities]")
                        ->type_name("FILE");
  command->add_flag("--insecure", server.insecure, "Take any certificate")->excludes(ca);
}

void add_timeout(CLI::App* command, Duration& timeout, const std::string& help) {
  command
      ->add_option_function<std::string>(
          "--timeout",
          [&timeout](const std::string& text) {
            const auto parsed = parse_timeout(text);
            if (!parsed.ok())
              throw CLI::ValidationError("--timeout", std::string(core::message(parsed.status())));
            timeout = *parsed;
          },
          help)
      ->type_name("MS");
}

}  // namespace flow::ctl
