// SPDX-License-Identifier: Apache-2.0
#include "flowctl/convert/toml_text.hpp"

#include <limits>

#include "gtest/gtest.h"

namespace flow::ctl {
namespace {

using core::Value;

std::string text_of(decltype(Value::data) data) { return toml_value({std::move(data), {}}); }

TEST(TomlText, WritesScalars) {
  EXPECT_EQ(text_of(true), "true");
  EXPECT_EQ(text_of(std::int64_t{-7}), "-7");
  EXPECT_EQ(text_of(0.5), "0.5");
  EXPECT_EQ(text_of(3.0), "3.0");
  EXPECT_EQ(text_of(1e300), "1e+300");
  EXPECT_EQ(text_of(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(text_of(std::numeric_limits<double>::quiet_NaN()), "nan");
}

TEST(TomlText, EscapesStrings) {
  EXPECT_EQ(text_of(std::string("a\"b\\c\n\x01\x7f日")), R"("a\"b\\c\n\u0001\u007f日")");
}

TEST(TomlText, QuotesKeysThatAreNotBare) {
  EXPECT_EQ(toml_key("a-b_1"), "a-b_1");
  EXPECT_EQ(toml_key(""), "\"\"");
  EXPECT_EQ(toml_key("a.b"), "\"a.b\"");
  EXPECT_EQ(toml_key("ä"), "\"ä\"");
}

TEST(TomlText, LeavesNothingOutButNull) {
  const Value::Map map = {{"a", {std::int64_t{1}, {}}},
                          {"b", {nullptr, {}}},
                          {"c", {Value::List{{std::string("x"), {}}, {nullptr, {}}}, {}}},
                          {"d", {Value::Map{}, {}}}};
  EXPECT_EQ(text_of(map), R"({ a = 1, c = ["x"], d = {} })");
}

}  // namespace
}  // namespace flow::ctl
