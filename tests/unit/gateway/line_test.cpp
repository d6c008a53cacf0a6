// SPDX-License-Identifier: Apache-2.0
// Protects the order of those who wait, whatever their turns do to them.
#include "gateway/executors/line.hpp"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LineTest : public testing::Test {
 protected:
  void join(Line::Place& place, const std::string& name, bool leaves = true) {
    line_.join(place, [this, &place, name, leaves] {
      turns_.push_back(name);
      if (leaves) place.leave();
    });
  }
  void give(std::size_t turns = 100) {
    line_.give_turns([this, turns] { return turns_.size() < turns; });
  }

  Line line_;
  std::vector<std::string> turns_;
  Line::Place a_;
  Line::Place b_;
  Line::Place c_;
};

TEST_F(LineTest, TheFirstOneIsServedFirst) {
  join(a_, "a");
  join(b_, "b");
  join(c_, "c");
  give(2);
  EXPECT_THAT(turns_, ElementsAre("a", "b"));
  EXPECT_EQ(line_.size(), 1u);
  EXPECT_FALSE(a_.waiting());
  EXPECT_TRUE(c_.waiting());
}

TEST_F(LineTest, WhoCannotUseHisTurnKeepsHisPlaceAndHoldsNobodyUp) {
  join(a_, "a", false);
  join(b_, "b");
  give();
  EXPECT_THAT(turns_, ElementsAre("a", "b"));
  join(c_, "c");
  turns_.clear();
  give(1);
  EXPECT_THAT(turns_, ElementsAre("a"));
}

TEST_F(LineTest, WhoLeavesHasNoTurn) {
  join(a_, "a");
  {
    Line::Place gone;
    join(gone, "gone");
  }
  join(b_, "b");
  a_.leave();
  give();
  EXPECT_THAT(turns_, ElementsAre("b"));
}

TEST_F(LineTest, ATurnMayEndOthers) {
  auto other = std::make_unique<Line::Place>();
  auto self = std::make_unique<Line::Place>();
  line_.join(*self, [&] {
    turns_.push_back("self");
    self.reset();
    other.reset();
  });
  join(*other, "other");
  join(c_, "c");
  give();
  EXPECT_THAT(turns_, ElementsAre("self", "c"));
  EXPECT_TRUE(line_.empty());
}

TEST_F(LineTest, WhoJoinsMeanwhileWaitsForTheNextRound) {
  line_.join(a_, [this] {
    a_.leave();
    join(a_, "again");
  });
  give();
  EXPECT_THAT(turns_, IsEmpty());
  give();
  EXPECT_THAT(turns_, ElementsAre("again"));
}

TEST_F(LineTest, JoiningAgainIsANewPlace) {
  join(a_, "a");
  join(b_, "b");
  join(a_, "a");
  give();
  EXPECT_THAT(turns_, ElementsAre("b", "a"));
}

}  // namespace
}  // namespace flow::gateway
