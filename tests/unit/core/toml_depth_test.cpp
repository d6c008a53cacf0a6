// SPDX-License-Identifier: Apache-2.0
// Protects the stack: toml++ recurses over what dotted keys make.
#include "core/toml_depth.hpp"

#include <string>

#include "gtest/gtest.h"

namespace flow::core {
namespace {

std::string repeat(std::string_view text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

TEST(TomlDepth, AllowsWhatPeopleWrite) {
  const std::string texts[] = {
      "",
      "a.b.c.d = 1\n" + repeat("x.y = 1.5\n", 1000),
      "a = [" + repeat("1.5, ", 1000) + "]",
      "a = [\n" + repeat("  { x.y = 0.5 },\n", 1000) + "]\n",
      repeat("[a.b]\nc = [[1], [2]]\n", 100),
      "a = \"" + repeat(".", 1000) + "\"",
      "a = '" + repeat(".[", 1000) + "'",
      "a = \"\"\"" + repeat(".\n[", 1000) + "\"\"\"\"\" # quoted\n",
      "a = '''" + repeat(".\n[\\", 1000) + "'''",
      "a = \"\\\"" + repeat(".", 1000) + "\"",
      "# " + repeat(".[", 1000),
      repeat("]", 1000),
  };
  for (const std::string& text : texts) {
    EXPECT_FALSE(too_deep(text, 8).has_value()) << text.substr(0, 60);
  }
}

TEST(TomlDepth, FindsWhatNestsTooDeep) {
  const std::string dots = repeat("a.", 9) + "a";
  const std::pair<std::string, Location> cases[] = {
      {dots + " = 1", {1, 18}},
      {"x = 1\n[" + dots + "]", {2, 17}},
      {"x = " + repeat("[", 9), {1, 13}},
      {"x = " + repeat("[ # ]\n", 9), {9, 1}},
      {repeat("a.a={", 5), {1, 22}},
      {"x = { y = \"\"\"\\\"\"\"\"\"\", " + dots + " = 1 }", {1, 38}},
      {"x = { y = '''q''''', " + dots + " = 1 }", {1, 37}},
      {"x = { y = \"\", z = \"\u00e9\", " + dots + " = 1 }", {1, 39}},
      {"\"a.b\"" + repeat(". 'a'", 9) + " = 1", {1, 46}},
  };
  for (const auto& [text, place] : cases) {
    const auto found = too_deep(text, 8);

    ASSERT_TRUE(found.has_value()) << text;
    EXPECT_EQ(found->line, place.line) << text;
    EXPECT_EQ(found->column, place.column) << text;
  }
}

TEST(TomlDepth, EndsOnStringsThatDoNot) {
  for (const char* text :
       {"\"", "'", "\"\"\"", "'''", "\"\\", "\"\"\"\\", "a = \"x\n.", "\"\"\"\""}) {
    EXPECT_FALSE(too_deep(text, 8).has_value()) << text;
  }
}

}  // namespace
}  // namespace flow::core
