// SPDX-License-Identifier: Apache-2.0
// Alarms, the buffer budget and the one flush per round.
#include "gateway/net/loop.hpp"

#include "boost/asio/post.hpp"
#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;

TEST(Alarms, FireInTheOrderOfTheirTimes) {
  boost::asio::io_context io;
  Alarms alarms(io);
  Alarms::Alarm first, second;
  std::string order;

  const auto now = Clock::now();
  second.set(alarms, now + 2us, [&] { order += "2"; });
  first.set(alarms, now + 1us, [&] { order += "1"; });
  io.run();

  EXPECT_EQ(order, "12");
  EXPECT_FALSE(first.pending());
}

TEST(Alarms, ThatAreCancelledOrDestroyedDoNotFire) {
  boost::asio::io_context io;
  Alarms alarms(io);
  bool fired = false;
  Alarms::Alarm cancelled;
  cancelled.set(alarms, Clock::now(), [&] { fired = true; });
  cancelled.cancel();
  {
    Alarms::Alarm destroyed;
    destroyed.set(alarms, Clock::now(), [&] { fired = true; });
  }

  io.run();

  EXPECT_FALSE(fired);
}

TEST(Alarms, SetAgainCountFromTheLastTime) {
  boost::asio::io_context io;
  Alarms alarms(io);
  Alarms::Alarm alarm;
  int fired = 0;
  alarm.set(alarms, Clock::now() + 1h, [&] { fired = 1; });
  alarm.set(alarms, Clock::now(), [&] { fired = 2; });

  io.run();

  EXPECT_EQ(fired, 2);
}

TEST(Alarms, TellWhenTheNextOneIsDueToWhoeverTurnsNoLoop) {
  boost::asio::io_context io;
  Alarms alarms(io);
  EXPECT_EQ(alarms.next(), std::nullopt);
  Alarms::Alarm later, due;
  int fired = 0;
  const auto now = Clock::now();
  later.set(alarms, now + 1h, [&] { ++fired; });
  due.set(alarms, now, [&] { ++fired; });
  EXPECT_EQ(alarms.next(), now);

  alarms.fire();

  EXPECT_EQ(fired, 1);
  EXPECT_EQ(alarms.next(), now + 1h);
}

TEST(Alarms, MayDestroyThemselvesAndOthersWhenTheyFire) {
  boost::asio::io_context io;
  Alarms alarms(io);
  auto own = std::make_unique<Alarms::Alarm>();
  auto other = std::make_unique<Alarms::Alarm>();
  const auto now = Clock::now();
  own->set(alarms, now, [&] {
    own.reset();
    other.reset();
  });
  other->set(alarms, now, [] { FAIL(); });

  io.run();

  EXPECT_EQ(own, nullptr);
}

TEST(BufferBudget, IsGivenBackWithItsLease) {
  BufferBudget budget(100);
  {
    BufferBudget::Lease lease;
    EXPECT_TRUE(lease.grow(budget, 60));
    EXPECT_TRUE(lease.grow(budget, 40));
    EXPECT_FALSE(lease.grow(budget, 1));
    EXPECT_EQ(budget.used(), 100u);
  }
  EXPECT_EQ(budget.used(), 0u);
}

struct CountedFlush final : Flushable {
  void flush() override { order += name; }
  CountedFlush(std::string& to, char as) : order(to), name(as) {}
  std::string& order;
  char name;
};

TEST(Loop, FlushesAtTheEndOfTheRound) {
  Loop loop;
  std::string order;
  const auto a = std::make_shared<CountedFlush>(order, 'a');
  const auto b = std::make_shared<CountedFlush>(order, 'b');
  // Three handlers are ready; the first two have output.
  boost::asio::post(loop.io(), [&] { order += '1', loop.flush_soon(a); });
  boost::asio::post(loop.io(), [&] { order += '2', loop.flush_soon(b); });
  boost::asio::post(loop.io(), [&] { order += '3'; });

  loop.io().run();

  EXPECT_EQ(order, "123ab");
}

}  // namespace
}  // namespace flow::gateway
