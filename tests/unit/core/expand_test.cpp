// SPDX-License-Identifier: Apache-2.0
#include "core/expand.hpp"

#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::core {
namespace {

using ::testing::HasSubstr;

std::optional<std::string> environment(const std::string& name) {
  if (name == "HOST") return "10.0.0.1";
  if (name == "_x1") return "lower";
  if (name == "EMPTY") return "";
  if (name == "NESTED") return "${HOST} $$";
  return std::nullopt;
}

TEST(Expand, ReplacesVariables) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {"no dollar {at} all", "no dollar {at} all"},
      {"${HOST}", "10.0.0.1"},
      {"a${HOST}b${_x1}c", "a10.0.0.1blowerc"},
      {"[${EMPTY}]", "[]"},
      {"${HOST:-else}", "10.0.0.1"},
      {"${UNSET:-else}", "else"},
      {"${EMPTY:-else}", "else"},
      {"${UNSET:-}", ""},
      {"${UNSET:-a:-b {$}", "a:-b {$"},
      {"$$", "$"},
      {"$${HOST}", "${HOST}"},
      {"$$$$", "$$"},
      {"$$${HOST}", "$10.0.0.1"},
      {"${NESTED}", "${HOST} $$"},  // what a variable holds is not read again
  };
  for (const auto& [text, expected] : cases) {
    const auto expanded = expand(text, environment);

    ASSERT_TRUE(expanded.ok()) << expanded.status();
    EXPECT_EQ(*expanded, expected) << text;
  }
}

TEST(Expand, SaysWhatIsWrongWithADollar) {
  const std::pair<std::string, std::string> cases[] = {
      {"${UNSET}",
       "the environment variable UNSET is not set (set it, or write ${UNSET:-default})"},
      {"${HOST} and ${UNSET}", "UNSET is not set"},
      {"$HOST", "a lone dollar"},
      {"costs 5$", "a lone dollar"},
      {"${HOST", "a lone dollar"},
      {"$$$", "a lone dollar"},
      {"${}", "\"\" is not the name of an environment variable"},
      {"${1A}", "\"1A\" is not the name"},
      {"${A-B}", "\"A-B\" is not the name"},
      {"${ HOST }", "\" HOST \" is not the name"},
      {"${:-else}", "\"\" is not the name"},
      {"${A:B}", "\"A:B\" is not the name"},
  };
  for (const auto& [text, why] : cases) {
    const auto expanded = expand(text, environment);

    ASSERT_FALSE(expanded.ok()) << text;
    EXPECT_THAT(std::string(message(expanded.status())), HasSubstr(why)) << text;
  }
}

}  // namespace
}  // namespace flow::core
