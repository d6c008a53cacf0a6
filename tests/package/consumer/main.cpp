// SPDX-License-Identifier: Apache-2.0
#include <flow/client.hpp>
#include <flow/flow.hpp>
#include <iostream>

int main() {
  flow::Flow flow;
  flow.add({.name = "mine", .uses = "./my-executor.so"});
  const auto running = flow.start();
  if (!running.ok()) {
    std::cerr << running.status() << '\n';
    return 1;
  }
  flow::Client client(running->url());
  const auto answers = client.post("/", {flow::Document::of_text("hello")});
  std::cout << (answers.ok() ? answers->at(0).text() : answers.status().ToString()) << '\n';
}
