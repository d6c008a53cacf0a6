// SPDX-License-Identifier: Apache-2.0
// Who gets a place when there are few: calls are refused, streams take turns.
#include "gateway/services/admission.hpp"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

using Kind = Admission::Kind;
using Place = Admission::Place;
using testing::ElementsAre;
using namespace std::chrono_literals;

class AdmissionTest : public testing::Test {
 protected:
  // A stream that has requests to send whenever it may.
  struct Stream {
    Stream(Admission& places_of, std::string& writes_to, char called, int count)
        : admission(places_of),
          log(writes_to),
          name(called),
          requests(count),
          waiter(admission, [this] { send(); }) {}
    void send() {
      while (requests > 0 && waiter.may_take()) {
        places.push_back(admission.take(Kind::Stream));
        ASSERT_TRUE(places.back());
        log += name;
        --requests;
      }
    }
    Admission& admission;
    std::string& log;
    const char name;
    int requests;
    std::vector<Place> places;
    Admission::Waiter waiter;
  };

  std::vector<Place> take(Admission& admission, Kind kind, int count) {
    std::vector<Place> places;
    for (int i = 0; i < count; ++i) {
      if (Place place = admission.take(kind)) places.push_back(std::move(place));
    }
    return places;
  }
  // Lets the turns be given that are due.
  void run() {
    loop_.io().restart();
    loop_.io().run_for(5s);  // returns when there is nothing more to do
  }

  Loop loop_;
  std::string log_;
};

TEST_F(AdmissionTest, CallsMayTakeAllPlacesWhileNoStreamWaits) {
  Admission admission(loop_, 8);
  EXPECT_EQ(take(admission, Kind::Call, 20).size(), 8u);
}

TEST_F(AdmissionTest, APlaceIsGivenBackOnceHoweverItMoves) {
  Admission admission(loop_, 8);
  {
    Place place = admission.take(Kind::Call);
    Place other = std::move(place);
    EXPECT_FALSE(place);  // NOLINT: empty is what a place is that was moved from
    place = std::move(other);
    EXPECT_EQ(admission.taken(), 1u);
    place = admission.take(Kind::Stream);
    EXPECT_EQ(admission.taken(), 1u);
  }
  EXPECT_EQ(admission.taken(), 0u);
}

TEST_F(AdmissionTest, StreamsLeaveAQuarterToCalls) {
  Admission admission(loop_, 8);
  const auto streams = take(admission, Kind::Stream, 20);
  EXPECT_EQ(streams.size(), 6u);
  EXPECT_EQ(take(admission, Kind::Call, 20).size(), 2u);
}

TEST_F(AdmissionTest, FewPlacesAreForWhoeverIsFirst) {
  Admission admission(loop_, 1);
  const auto first = take(admission, Kind::Stream, 1);
  EXPECT_EQ(first.size(), 1u);
  EXPECT_TRUE(take(admission, Kind::Call, 1).empty());
}

TEST_F(AdmissionTest, CallsLeaveAQuarterToStreamsThatWait) {
  Admission admission(loop_, 8);
  auto calls = take(admission, Kind::Call, 8);
  Stream stream(admission, log_, 'a', 4);
  stream.send();
  EXPECT_EQ(log_, "");

  calls.pop_back();
  EXPECT_FALSE(admission.take(Kind::Call)) << "it is for the stream, whose turn comes";
  run();
  EXPECT_EQ(log_, "a");
  calls.pop_back();
  run();
  EXPECT_EQ(log_, "aa");
  calls.pop_back();
  EXPECT_TRUE(admission.take(Kind::Call)) << "streams have their quarter";
}

TEST_F(AdmissionTest, StreamsThatWaitTakeTurnsOneRequestEach) {
  Admission admission(loop_, 4);
  auto taken = take(admission, Kind::Stream, 3);
  Stream a(admission, log_, 'a', 3), b(admission, log_, 'b', 3), c(admission, log_, 'c', 1);
  a.send();
  b.send();
  c.send();
  EXPECT_EQ(log_, "");

  while (!taken.empty()) {
    taken.pop_back();
    run();
  }
  EXPECT_EQ(log_, "abc");
  while (a.requests + b.requests > 0) {
    for (Stream* stream : {&a, &b, &c}) {
      if (!stream->places.empty()) stream->places.pop_back();
      run();
    }
  }
  EXPECT_EQ(log_.substr(0, 7), "abcabab");
}

TEST_F(AdmissionTest, AStreamThatComesLaterStandsBehindThoseThatWait) {
  Admission admission(loop_, 4);
  auto taken = take(admission, Kind::Stream, 3);
  Stream first(admission, log_, '1', 1), second(admission, log_, '2', 1);
  first.send();
  taken.pop_back();
  second.send();  // there is a place, but it is not his
  EXPECT_EQ(log_, "");
  run();
  EXPECT_EQ(log_, "1");
}

TEST_F(AdmissionTest, WhoDoesNotUseHisTurnHoldsUpNobody) {
  Admission admission(loop_, 4);
  auto taken = take(admission, Kind::Stream, 3);
  Stream idle(admission, log_, 'i', 1), busy(admission, log_, 'b', 1);
  idle.send();
  busy.send();
  idle.requests = 0;
  taken.pop_back();
  run();
  EXPECT_EQ(log_, "b");
}

TEST_F(AdmissionTest, ManyFreePlacesAreSharedOut) {
  Admission admission(loop_, 8);
  auto taken = take(admission, Kind::Stream, 6);
  Stream a(admission, log_, 'a', 9), b(admission, log_, 'b', 9);
  a.send();
  b.send();
  taken.clear();
  run();
  EXPECT_EQ(log_, "ababab");
}

TEST_F(AdmissionTest, AStreamThatEndsWhileItWaitsIsForgotten) {
  Admission admission(loop_, 4);
  auto taken = take(admission, Kind::Stream, 3);
  auto gone = std::make_unique<Stream>(admission, log_, 'g', 1);
  Stream stays(admission, log_, 's', 1);
  gone->send();
  stays.send();
  gone.reset();
  taken.pop_back();
  run();
  EXPECT_EQ(log_, "s");
}

}  // namespace
}  // namespace flow::gateway
