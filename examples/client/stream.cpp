// SPDX-License-Identifier: Apache-2.0
//
// Sends the lines of standard input to a Flow as they come, and prints what comes back.
// Usage: client-stream [url] < lines
#include <flow/client.hpp>
#include <iostream>
#include <optional>
#include <string>

namespace {

std::optional<flow::Document> next_line() {
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return flow::Document::of_text(line);
}

}  // namespace

int main(int argc, char** argv) {
  const flow::ClientOptions options{
      .tls = {.ca_file = "", .verification = flow::Verification::Full}, .retry = {.attempts = 3}};
  flow::Client client(argc > 1 ? argv[1] : "grpc://localhost:12345", options);
  int failures = 0;
  for (const flow::Response& response :
       client.stream("/index", next_line, {}, {.request_size = 10})) {
    if (!response.status.ok()) {
      std::cerr << "request " << response.index << ": " << response.status << '\n';
      ++failures;
    }
    for (const flow::Document& each : response.documents) std::cout << each.text() << '\n';
  }
  return failures == 0 ? 0 : 1;
}
