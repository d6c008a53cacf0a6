// SPDX-License-Identifier: Apache-2.0
// Thousands of texts and messages that are nearly right, the same in every run. tests/fuzz does it
// for longer.
#include <random>

#include "gtest/gtest.h"
#include "json_samples.hpp"

namespace flow::wire {
namespace {

constexpr std::string_view kJson =
    R"({"data":[{"id":"d\u00e9","text":"x","tags":{"a":[1,null,{"b":true}]},"scores":{"c":{"value":0.5}},"location":[1],"embedding":[[1,2.5],[3,4]],"chunks":[{"blob":"aGVsbG8=","granularity":1}]},{"tensor":[true]}],"parameters":{"k":-1e5},"execEndpoint":"/"})";

// A byte changed, removed, doubled, or a piece moved.
std::string mutated(std::string text, std::mt19937& random) {
  const auto below = [&](std::size_t end) { return random() % end; };
  for (std::size_t changes = 1 + below(3); changes > 0 && text.size() > 8; --changes) {
    const std::size_t at = below(text.size());
    switch (below(5)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text.erase(at, 1 + below(4));
        break;
      case 2:
        text.insert(at, text.substr(below(text.size()), 1 + below(12)));
        break;
      case 3:
        text[at] = "{}[]\",:0-e.\\nt"[below(14)];
        break;
      default:
        std::swap(text[at], text[below(text.size())]);
    }
  }
  return text;
}

TEST(MutatedJson, IsRefusedOrMakesAMessage) {
  std::mt19937 random(20261122);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string json = mutated(std::string(kJson), random);
    std::string framed;
    const auto problem = read_data_request(json, test::options(), framed);
    if (problem) {
      EXPECT_NE(problem->message, "") << json;
      EXPECT_LE(problem->offset, json.size()) << json;
      const std::string body = problem_body(*problem, json);
      std::string ignored;
      EXPECT_FALSE(read_data_response(body, ignored)) << "no JSON: " << body;
    } else {
      ++accepted;
      test::parsed(framed);
    }
  }
  EXPECT_GT(accepted, 1000) << "the mutations are too wild to test much";
}

TEST(MutatedMessages, AreRefusedOrMakeJsonThatReadsBack) {
  std::mt19937 random(20261122);
  std::string framed;
  ASSERT_FALSE(read_data_request(kJson, test::options(), framed));
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string bytes = mutated(std::string(payload(framed)), random);
    std::string json;
    const absl::Status status = write_data_response(bytes, JsonStyle::Http, json);
    if (!status.ok()) continue;
    ++accepted;
    std::string again;
    const auto problem = read_data_response(json, again);
    EXPECT_FALSE(problem) << json << describe(*problem);
  }
  EXPECT_GT(accepted, 1000) << "the mutations are too wild to test much";
}

}  // namespace
}  // namespace flow::wire
