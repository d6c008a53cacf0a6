// SPDX-License-Identifier: Apache-2.0
// Whatever the file, parse_config() answers: damaged files must not crash it, and what it says must
// keep its form. The damage is the same in every run.
#include <random>
#include <string>
#include <vector>

#include "config_test_support.hpp"
#include "core/config.hpp"
#include "core/text.hpp"
#include "gtest/gtest.h"

namespace flow::core {
namespace {

constexpr const char* kSeed = R"(name = "search"
plugins = ["plugins", '/opt/${WORD}']
[gateway]
host = "0.0.0.0"
port = "${PORT}"
timeout_send = "10s"
max_message = "256MiB"
[health]
heartbeat_interval = "250ms"
[supervise]
restart = "on-failure"
restarts = 5
[log]
level = "info"
[[executors]]
name = "encoder"
uses = "text-encoder"
uses_with = { dimensions = 256, deep = { list = [1, 2.5, "x", [true]] } }
port = 9000
replicas = 2
needs = ["gateway"]
env = { OMP_NUM_THREADS = "1" }
[[executors]]
name = """
indexer"""
uses = "./vector-index.so"  # a path
needs = ["encoder"]
process = "indexer"
)";

class Damage {
 public:
  explicit Damage(unsigned seed) : random_(seed) {}

  std::string of(std::string text) {
    for (std::size_t times = 1 + below(4); times > 0; --times) once(text);
    return text;
  }

 private:
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  void once(std::string& text) {
    static const std::vector<std::string> kPieces = {"\"",
                                                     "'",
                                                     "\"\"\"",
                                                     "[",
                                                     "]",
                                                     "[[",
                                                     "]]",
                                                     "{",
                                                     "}",
                                                     "=",
                                                     ".",
                                                     ",",
                                                     "\n",
                                                     "$",
                                                     "${",
                                                     "\\",
                                                     "#",
                                                     "-1",
                                                     "99999999999999999999",
                                                     "nan",
                                                     "\xff",
                                                     "\xe2\x82",
                                                     std::string(1, '\0'),
                                                     "\\u0000",
                                                     "\xef\xbb\xbf",
                                                     "[executors.uses_with]\n",
                                                     "needs = [\"encoder\", \"encoder\"]\n",
                                                     "name = \"gateway\"\n",
                                                     "a.b.c.d",
                                                     "[[executors]]\n"};
    const std::size_t at = below(text.size());
    const std::size_t length = below(std::min<std::size_t>(text.size() - at, 40) + 1);
    switch (below(5)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(random_());
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, kPieces[below(kPieces.size())]);
        break;
      case 3:  // a piece of the file twice, elsewhere
        text.insert(below(text.size()), text.substr(at, length));
        break;
      default:
        text.resize(at);
    }
  }

  std::mt19937 random_;
};

TEST(ConfigMutation, EveryDamagedFileIsReadOrRefusedInOrder) {
  constexpr int kFiles = 5000;
  Damage damage(20220531);
  int read = 0;
  ASSERT_TRUE(testing::parse(kSeed).ok()) << testing::parse(kSeed).status();

  for (int i = 0; i < kFiles; ++i) {
    const std::string text = damage.of(kSeed);
    const absl::StatusOr<FlowConfig> config = testing::parse(text);
    if (config.ok()) {
      ++read;
      ASSERT_FALSE(config->executors.empty()) << text;
      continue;
    }
    const std::string errors(message(config.status()));
    ASSERT_TRUE(is_valid_utf8(errors)) << text;
    int line = 0;
    for (std::size_t at = 0; at < errors.size();) {
      const std::string prefix = std::string(testing::kFile) + ":";
      ASSERT_EQ(errors.compare(at, prefix.size(), prefix), 0) << errors << "\nin:\n" << text;
      const int next = std::atoi(errors.c_str() + at + prefix.size());
      ASSERT_GE(next, std::max(line, 1)) << errors << "\nin:\n" << text;
      line = next;
      at = std::min(errors.find('\n', at), errors.size() - 1) + 1;
    }
  }
  // Both ways through the code were taken often.
  EXPECT_GT(read, kFiles / 100);
  EXPECT_LT(read, kFiles / 2);
}

}  // namespace
}  // namespace flow::core
