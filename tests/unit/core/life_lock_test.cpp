// SPDX-License-Identifier: Apache-2.0
#include "core/life_lock.hpp"

#include <gtest/gtest.h>

namespace flow::core {
namespace {

constexpr pid_t kOwner = 4711;

TEST(LifeWord, OfAProcessThatHoldsItSaysThatItLives) {
  EXPECT_EQ(read_life(held_by(kOwner), kOwner), Life::Held);
}

TEST(LifeWord, ThatTheKernelMarkedSaysThatItDied) {
  EXPECT_EQ(read_life(FUTEX_WAITERS | FUTEX_OWNER_DIED, kOwner), Life::Died);
}

TEST(LifeWord, OfAnotherProcessSaysNothing) {
  EXPECT_EQ(read_life(held_by(kOwner + 1), kOwner), Life::None);
}

TEST(LifeWord, ThatWasReleasedSaysNothing) { EXPECT_EQ(read_life(0, kOwner), Life::None); }

TEST(LifeWord, ThatNeitherWeNorTheKernelWriteSaysNothing) {
  for (const std::uint32_t word :
       {std::uint32_t{kOwner}, std::uint32_t{FUTEX_OWNER_DIED}, std::uint32_t{FUTEX_WAITERS},
        held_by(kOwner) | FUTEX_OWNER_DIED, 0xffffffffu, 1u}) {
    EXPECT_EQ(read_life(word, kOwner), Life::None) << word;
  }
}

TEST(LifeWord, OfAProcessThatIsNotKnownSaysNothing) {
  for (const pid_t owner : {0, -1}) {
    EXPECT_EQ(read_life(held_by(owner), owner), Life::None);
    EXPECT_EQ(read_life(FUTEX_WAITERS | FUTEX_OWNER_DIED, owner), Life::None);
  }
}

TEST(LifeWord, StandsBesideTheSocket) {
  EXPECT_EQ(life_lock_file("/run/x/echo-0.sock"), "/run/x/echo-0.sock.alive");
}

}  // namespace
}  // namespace flow::core
