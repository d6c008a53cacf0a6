// SPDX-License-Identifier: Apache-2.0
// Reading YAML that may be hostile.
#include "flowctl/convert/yaml.hpp"

#include "core/status.hpp"
#include "flowctl/convert/toml_text.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::ctl {
namespace {

using core::Value;
using testing::HasSubstr;
using testing::StartsWith;

// As TOML, which shows the types.
std::string read(std::string_view text) {
  const auto document = read_yaml(text, "f.yml");
  if (!document.ok()) return std::string(core::message(document.status()));
  return toml_value(document->root);
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(ReadYaml, TypesPlainScalarsAsPythonDoes) {
  EXPECT_EQ(read("[yes, No, on, TRUE, 1, -2, 0x1f, 010, 0b11, 1_000, 1.5, .5, 1., -.inf]"),
            "[true, false, true, true, 1, -2, 31, 8, 3, 1000, 1.5, 0.5, 1.0, -inf]");
  EXPECT_EQ(
      read("[1e5, 1.2.3, 0x, 09, abc, 99999999999999999999, +-1, '1', \"yes\", .]"),
      R"(["1e5", "1.2.3", "0x", "09", "abc", "99999999999999999999", "+-1", "1", "yes", "."])");
}

TEST(ReadYaml, ReadsMapsListsAndNothing) {
  EXPECT_EQ(read("a: {b: [1, x], c: ~}\nd:\ne: null\n"), R"({ a = { b = [1, "x"] } })");
  EXPECT_EQ(read("- a\n- - b\n"), R"(["a", ["b"]])");
}

TEST(ReadYaml, GivesWhatStandsInAMapThePlaceOfItsKey) {
  const auto document = read_yaml("a: 1\n\nb:\n  - x\n", "f.yml");
  ASSERT_TRUE(document.ok());
  const auto& map = std::get<Value::Map>(document->root.data);
  EXPECT_EQ(map[0].value.at, (core::Location{1, 1}));
  EXPECT_EQ(map[1].value.at, (core::Location{3, 1}));
  EXPECT_EQ(std::get<Value::List>(map[1].value.data)[0].at, (core::Location{4, 5}));
}

TEST(ReadYaml, KeepsTagsApart) {
  const auto document = read_yaml("!Flow\na: !Mine x\nb: !!str 1\n", "f.yml");
  ASSERT_TRUE(document.ok());
  ASSERT_EQ(document->tags.size(), 2U);
  EXPECT_EQ(document->tags[0].second, "!Flow");
  EXPECT_EQ(document->tags[1].second, "!Mine");
  EXPECT_EQ(toml_value(document->root), R"({ a = "x", b = "1" })");
}

TEST(ReadYaml, AliasesAreCopies) {
  EXPECT_EQ(read("a: &x {b: 1}\nc: *x\n"), "{ a = { b = 1 }, c = { b = 1 } }");
}

TEST(ReadYaml, RefusesAnAliasBomb) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" +
            repeated("*a" + std::to_string(i - 1) + ", ", 10) + "]\n";
  }
  EXPECT_THAT(read(bomb), HasSubstr("more than 20000 values"));
}

TEST(ReadYaml, RefusesDepthByAliases) {
  std::string deep = "a0: &a0 [[[[[[[[x]]]]]]]]\n";
  for (int i = 1; i < 20; ++i) {
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [[[[[[[[*a" +
            std::to_string(i - 1) + "]]]]]]]]\n";
  }
  EXPECT_THAT(read(deep), HasSubstr("more than 64 deep"));
}

TEST(ReadYaml, RefusesAnAliasWithinItsOwnAnchor) {
  EXPECT_THAT(read("a: &x [*x]\n"), HasSubstr("f.yml:1:8: an alias stands within its own anchor"));
}

TEST(ReadYaml, RefusesDeepNesting) {
  for (const std::string_view piece : {"[", "{a: ", "- ", "? ", "[{a: "}) {
    for (const std::size_t times : {100UL, 10'000UL, 100'000UL}) {
      EXPECT_THAT(read(repeated(piece, times)), StartsWith("f.yml:")) << piece << times;
    }
  }
}

TEST(ReadYaml, RefusesWhatIsTooLargeOrNoText) {
  EXPECT_THAT(read(std::string(2 << 20, 'a')), HasSubstr("has 2097152 bytes"));
  EXPECT_THAT(read("a: \xff"), HasSubstr("f.yml: is not UTF-8"));
  EXPECT_THAT(read(""), HasSubstr("f.yml: is empty"));
  EXPECT_THAT(read(repeated("- x\n", 30'000)), HasSubstr("more than 20000 values"));
}

TEST(ReadYaml, RefusesWhatIsNoYamlWithThePlace) {
  for (const std::string_view text : {"a: [", "a: b: c", "a: &", "*x", "%YAML 9.9\n---\na", "a: 'x",
                                      "}", "a:\n\t- b", "!<", "? ? ?", "a: *nope", "{a, b: }]"}) {
    EXPECT_THAT(read(text), StartsWith("f.yml:")) << text;
  }
}

TEST(ReadYaml, RefusesKeysThatAreNoTexts) {
  EXPECT_THAT(read("[a]: 1"), HasSubstr("a key that is a list or a map"));
  EXPECT_THAT(read("? {a: b}\n: 1"), HasSubstr("a key that is a list or a map"));
  EXPECT_THAT(read("a: &k x\n*k : 1"), HasSubstr("a key that is an alias"));
}

TEST(ReadYaml, RefusesAKeyThatStandsTwice) {
  EXPECT_EQ(read("a: 1\nb: 2\na: 3\n"),
            "f.yml:3:1: the key \"a\" stands here twice (first in line 1)");
}

TEST(ReadYaml, RefusesASecondDocument) {
  EXPECT_EQ(read("a: 1\n---\nb: 2\n"), "f.yml:3:1: a second document begins here; expected one");
}

TEST(ReadYaml, SurvivesEveryPrefixAndEveryChangedByteOfAFile) {
  const std::string file =
      "jtype: Flow\nwith: {port: 12345, cors: yes}\nexecutors:\n  - name: &n enc\n    uses: echo\n"
      "    uses_with:\n      a: [1, 2.5, 'x']\n      b: *n\n    env: {A: \"b\"}\n# end\n";
  for (std::size_t length = 0; length < file.size(); ++length) read(file.substr(0, length));
  for (std::size_t i = 0; i < file.size(); ++i) {
    for (const char c : {'\0', '\n', '\t', ' ', '[', '{', '}', '"', '&', '*', '!', '|', '-', '?',
                         ':', '%', '@', '\x7f', '\xc3'}) {
      std::string changed = file;
      changed[i] = c;
      read(changed);
    }
  }
}

}  // namespace
}  // namespace flow::ctl
