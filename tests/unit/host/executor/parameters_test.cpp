// SPDX-License-Identifier: Apache-2.0
// Which of a request's parameters an executor is shown.
#include "host/executor/parameters.hpp"

#include <map>
#include <string>

#include "gtest/gtest.h"

namespace flow::host {
namespace {

google::protobuf::Struct numbers(const std::map<std::string, double>& entries) {
  google::protobuf::Struct all;
  for (const auto& [key, value] : entries) (*all.mutable_fields())[key].set_number_value(value);
  return all;
}

std::map<std::string, double> seen_by(const std::string& executor,
                                      const google::protobuf::Struct& all) {
  std::map<std::string, double> seen;
  const auto scoped = parameters_for(executor, all);
  for (const auto& [key, value] : (scoped ? *scoped : all).fields()) {
    if (value.has_number_value()) seen[key] = value.number_value();
  }
  return seen;
}

using Seen = std::map<std::string, double>;

TEST(Parameters, ForEverybodyAreNotCopied) {
  EXPECT_EQ(parameters_for("a", numbers({{"k", 1}})), std::nullopt);
  EXPECT_EQ(parameters_for("a", {}), std::nullopt);
}

TEST(Parameters, WithAnExecutorsPrefixGoToItAloneAndBeforePlainOnes) {
  const auto all = numbers({{"a__k", 1}, {"k", 2}, {"other", 3}});

  EXPECT_EQ(seen_by("a", all), (Seen{{"k", 1}, {"other", 3}}));
  EXPECT_EQ(seen_by("b", all), (Seen{{"k", 2}, {"other", 3}}));
}

TEST(Parameters, InAMapOfTheExecutorsNameAreItsOwn) {
  auto all = numbers({{"k", 2}});
  (*(*all.mutable_fields())["a"].mutable_struct_value()->mutable_fields())["k"].set_number_value(1);

  EXPECT_EQ(seen_by("a", all), (Seen{{"k", 1}}));
  EXPECT_EQ(seen_by("b", all), (Seen{{"k", 2}}));
}

TEST(Parameters, OfANameThatHoldsNoMapAreOrdinary) {
  EXPECT_EQ(parameters_for("a", numbers({{"a", 1}})), std::nullopt);
}

TEST(Parameters, ThatBeginOrEndWithTheSeparatorAreForEverybody) {
  const auto all = numbers({{"__results__", 1}, {"__k", 2}, {"k__", 3}, {"__", 4}});

  EXPECT_EQ(parameters_for("a", all), std::nullopt);
}

TEST(Parameters, OfAnExecutorWithTheSeparatorInItsNameAreCutAtTheLast) {
  EXPECT_EQ(seen_by("a__b", numbers({{"a__b__k", 1}})), (Seen{{"k", 1}}));
}

}  // namespace
}  // namespace flow::host
