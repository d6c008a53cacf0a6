// SPDX-License-Identifier: Apache-2.0
//
// Sends texts to a Flow and prints what comes back. Usage: client-post [url]
#include <flow/client.hpp>
#include <iostream>

int main(int argc, char** argv) {
  flow::Client client(argc > 1 ? argv[1] : "grpc://localhost:12345");
  if (!client.is_flow_ready()) {
    std::cerr << "not ready: " << client.last_reason() << '\n';
    return 1;
  }

  std::vector<flow::Document> documents = {flow::Document::of_text("a paragraph"),
                                           flow::Document::of_text("another one")};
  documents[0].tags = {{"lang", "en"}, {"page", 7}};
  const auto answers = client.post("/search", documents, {{"top_k", 3}});
  if (!answers.ok()) {
    std::cerr << answers.status() << '\n';
    return 1;
  }
  for (const flow::Document& each : *answers) {
    std::cout << each.text() << '\n';
    if (each.embedding) {
      const auto vector = each.embedding->to_floats();
      if (vector.ok()) std::cout << vector->size() << " numbers\n";
    }
  }
}
