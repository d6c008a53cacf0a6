// SPDX-License-Identifier: Apache-2.0
#include "flowctl/convert/variables.hpp"

#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::ctl {
namespace {

using testing::HasSubstr;

TEST(ConvertVariables, KnowsAllWaysOfNamingTheEnvironment) {
  EXPECT_EQ(*convert_variables("${{ ENV.PORT }}"), "${PORT}");
  EXPECT_EQ(*convert_variables("${{ENV.PORT}}"), "${PORT}");
  EXPECT_EQ(*convert_variables("${PORT}"), "${PORT}");
  EXPECT_EQ(*convert_variables("$PORT"), "${PORT}");
  EXPECT_EQ(*convert_variables("a $A_1/${B}c"), "a ${A_1}/${B}c");
}

TEST(ConvertVariables, DoublesOtherDollars) {
  EXPECT_EQ(*convert_variables("5$"), "5$$");
  EXPECT_EQ(*convert_variables("$1"), "$$1");
  EXPECT_EQ(*convert_variables("${"), "$${");
  EXPECT_EQ(*convert_variables("${A"), "$${A");
  EXPECT_EQ(*convert_variables("${}"), "$${}");
  EXPECT_EQ(*convert_variables("${{ENV.A"), "$${{ENV.A");
  EXPECT_EQ(*convert_variables("$$"), "$$$$");
  EXPECT_EQ(*convert_variables(""), "");
}

TEST(ConvertVariables, RefusesOtherExpressions) {
  for (const char* text : {"${{ CONTEXT.a }}", "${{ root.with.port }}", "${{ ENV. }}", "${{}}",
                           "${{ ENV.a b }}", "${{ ENV.a }} ${{ this.name }}"}) {
    const auto converted = convert_variables(text);
    ASSERT_FALSE(converted.ok()) << text;
    EXPECT_THAT(std::string(core::message(converted.status())), HasSubstr("has no counterpart"));
  }
}

}  // namespace
}  // namespace flow::ctl
