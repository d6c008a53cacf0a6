// SPDX-License-Identifier: Apache-2.0
//
// Plugins walk protobuf's trees in place, and may pass us nonsense.
#include "host/executor/values.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <set>

#include "google/protobuf/util/json_util.h"

namespace flow::host {
namespace {

google::protobuf::Struct parse(const char* json) {
  google::protobuf::Struct map;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &map).ok());
  return map;
}
flow_str str(std::string_view text) { return {text.data(), text.size()}; }
std::string_view text(flow_str value) { return {value.data, value.size}; }

flow_value of_kind(std::uint32_t kind) {
  flow_value value{};
  value.kind = kind;
  return value;
}

TEST(Values, AreSeenByKind) {
  const auto map =
      parse(R"({"b": true, "n": 1.5, "s": "x", "z": null, "l": [1, "y"], "m": {"k": 2}})");
  const auto root = view(map);

  EXPECT_EQ(root.kind, FLOW_MAP + 0U);
  EXPECT_EQ(root.count, 6U);
  EXPECT_EQ(value_get(&root, str("b")).as.number, 1);
  EXPECT_EQ(value_get(&root, str("n")).as.number, 1.5);
  EXPECT_EQ(text(value_get(&root, str("s")).as.text), "x");
  EXPECT_EQ(value_get(&root, str("z")).kind, FLOW_NULL + 0U);
  const auto list = value_get(&root, str("l"));
  EXPECT_EQ(list.count, 2U);
  const auto item = value_at(&list, 1);
  EXPECT_EQ(text(item.as.text), "y");
  const auto inner = value_get(&root, str("m"));
  EXPECT_EQ(value_get(&inner, str("k")).as.number, 2);
}

TEST(Values, OfAMapCanBeWalkedByIndex) {
  const auto map = parse(R"({"a": 1, "b": 2, "c": 3})");
  const auto root = view(map);
  std::set<std::string> keys;
  for (std::uint64_t i = 0; i < root.count; ++i) {
    const auto key = value_key(&root, i);
    keys.emplace(text(key));
    EXPECT_EQ(value_at(&root, i).as.number, value_get(&root, key).as.number);
  }
  EXPECT_EQ(keys, (std::set<std::string>{"a", "b", "c"}));
}

TEST(Values, AreNullWhereThereIsNothing) {
  const auto map = parse(R"({"a": 1})");
  const auto root = view(map);
  const auto number = of_kind(FLOW_NUMBER), no_node = of_kind(FLOW_MAP);

  EXPECT_EQ(value_get(&root, str("b")).kind, FLOW_NULL + 0U);
  EXPECT_EQ(value_get(&root, {nullptr, 5}).kind, FLOW_NULL + 0U);
  EXPECT_EQ(value_at(&root, 1).kind, FLOW_NULL + 0U);
  EXPECT_EQ(value_at(&root, UINT64_MAX).kind, FLOW_NULL + 0U);
  EXPECT_EQ(value_key(&root, 1).size, 0U);
  for (const auto* value : {&number, &no_node, static_cast<const flow_value*>(nullptr)}) {
    EXPECT_EQ(value_get(value, str("a")).kind, FLOW_NULL + 0U);
    EXPECT_EQ(value_at(value, 0).kind, FLOW_NULL + 0U);
    EXPECT_EQ(value_key(value, 0).size, 0U);
  }
}

TEST(Values, OfAPluginAreCopied) {
  const auto map = parse(R"({"l": [1, {"k": "v"}]})");
  const auto root = view(map);
  google::protobuf::Value copy;

  ASSERT_TRUE(assign(root, copy));
  EXPECT_EQ(copy.struct_value().SerializeAsString(), map.SerializeAsString());
}

TEST(Values, OfAPluginAreCheckedFirst) {
  google::protobuf::Value target;
  target.set_number_value(1);
  auto nan = of_kind(FLOW_NUMBER), no_text = of_kind(FLOW_STRING), bad_text = of_kind(FLOW_STRING);
  nan.as.number = std::numeric_limits<double>::quiet_NaN();
  no_text.as.text = {nullptr, 3};
  bad_text.as.text = str("\xff");

  for (const auto& value :
       {nan, no_text, bad_text, of_kind(FLOW_LIST), of_kind(FLOW_MAP), of_kind(99)}) {
    EXPECT_FALSE(assign(value, target)) << value.kind;
  }
  EXPECT_EQ(target.number_value(), 1);
}

}  // namespace
}  // namespace flow::host
