// SPDX-License-Identifier: Apache-2.0
#include "client/src/splitter.hpp"

#include <gmock/gmock.h>

namespace flow::client {
namespace {

using testing::ElementsAre;

DocumentSource counting(int count, int& asked) {
  return [count, &asked]() -> std::optional<Document> {
    if (asked++ >= count) return std::nullopt;
    return Document();
  };
}

std::vector<std::size_t> sizes(int documents, std::size_t size) {
  int asked = 0;
  Splitter splitter(counting(documents, asked), size);
  std::vector<std::size_t> all;
  while (const auto part = splitter.next()) all.push_back(part->size());
  return all;
}

TEST(Splitter, CutsIntoRequestsOfTheSizeAndARest) {
  EXPECT_THAT(sizes(7, 3), ElementsAre(3, 3, 1));
}

TEST(Splitter, MakesNoEmptyRequestAfterAFullOne) { EXPECT_THAT(sizes(6, 3), ElementsAre(3, 3)); }

TEST(Splitter, MakesOneEmptyRequestOfNoDocuments) { EXPECT_THAT(sizes(0, 3), ElementsAre(0)); }

TEST(Splitter, TakesASizeOfZeroForOne) { EXPECT_THAT(sizes(2, 0), ElementsAre(1, 1)); }

TEST(Splitter, AsksNoFurtherThanTheRequestNeeds) {
  int asked = 0;
  Splitter splitter(counting(10, asked), 3);
  splitter.next();
  EXPECT_EQ(asked, 3);
}

TEST(Splitter, DoesNotAskAgainAfterTheEnd) {
  int asked = 0;
  Splitter splitter(counting(1, asked), 3);
  splitter.next();
  EXPECT_FALSE(splitter.next());
  EXPECT_FALSE(splitter.next());
  EXPECT_EQ(asked, 2);
}

TEST(Splitter, TakesNoSourceForAnEmptyOne) {
  Splitter splitter(nullptr, 3);
  EXPECT_TRUE(splitter.next()->empty());
  EXPECT_FALSE(splitter.next());
}

}  // namespace
}  // namespace flow::client
