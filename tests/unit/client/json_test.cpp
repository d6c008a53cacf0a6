// SPDX-License-Identifier: Apache-2.0
#include "flow/json.hpp"

#include <gtest/gtest.h>

namespace flow {
namespace {

TEST(JsonValue, IsWrittenLikeJson) {
  const Json::Object tags = {{"lang", "en"},
                             {"pages", 3},
                             {"draft", false},
                             {"none", nullptr},
                             {"box", Json::Array{0, 0.5, "x"}},
                             {"nested", Json::Object{{"deep", true}}}};

  EXPECT_EQ(tags.at("lang").text(), "en");
  EXPECT_EQ(tags.at("pages").number(), 3);
  EXPECT_TRUE(tags.at("draft").is_bool());
  EXPECT_TRUE(tags.at("none").is_null());
  EXPECT_EQ(tags.at("box").array().size(), 3u);
  EXPECT_TRUE(tags.at("nested")["deep"].boolean());
}

TEST(JsonValue, ReadsAsEmptyWhereItIsSomethingElse) {
  const Json text = "x";
  EXPECT_EQ(text.number(7), 7);
  EXPECT_TRUE(text.boolean(true));
  EXPECT_TRUE(text.array().empty());
  EXPECT_TRUE(text["a"]["b"].is_null());
  EXPECT_EQ(Json(1).text("otherwise"), "otherwise");
}

TEST(JsonValue, IsNoNumberWhenItIsABoolean) {
  EXPECT_TRUE(Json(true).is_bool());
  EXPECT_TRUE(Json(1).is_number());
  EXPECT_NE(Json(true), Json(1));
}

TEST(JsonValue, IsTextWhenItIsMadeOfAPointerToCharacters) {
  const char* pointer = "text";
  EXPECT_TRUE(Json(pointer).is_text());
}

TEST(JsonValue, CopiesAreIndependent) {
  Json::Object first = {{"a", Json::Array{1}}};
  const Json::Object second = first;
  first["a"] = 2;
  EXPECT_EQ(second.at("a").array().front().number(), 1);
}

}  // namespace
}  // namespace flow
