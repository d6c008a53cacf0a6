// SPDX-License-Identifier: Apache-2.0
//
// Asks a Flow somewhere else whether it is ready. Usage: readiness-ask [port]
#include <cstdlib>
#include <flow/client.hpp>
#include <iostream>

int main(int argc, char** argv) {
  const auto port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 12345);
  flow::Client client({.port = port});
  std::cout << std::boolalpha << client.is_flow_ready() << '\n';
}
