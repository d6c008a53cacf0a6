// SPDX-License-Identifier: Apache-2.0
// One port: the first bytes of a connection say which protocol it speaks.
#include "gateway/front/detecting_session.hpp"

#include "core/limits.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/fake_front.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using testing::StartsWith;

class DetectingTest : public testing::Test {
 protected:
  Loop loop_;
  FakeFront fake_;
  Front front_ = fake_.front();
  FakeOutput output_;
  DetectingSession session_{loop_, front_, output_};
};

TEST_F(DetectingTest, TakesAPrefaceForHttp2HoweverItIsCut) {
  for (const char byte : std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) {
    ASSERT_TRUE(session_.receive({&byte, 1}).ok());
  }
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  ASSERT_TRUE(session_.receive(settings).ok());

  const std::string answer = output_of(session_);
  ASSERT_GT(answer.size(), 9u);
  EXPECT_EQ(answer[3], 4) << "the first frame of a server is SETTINGS";
}

TEST_F(DetectingTest, TakesEverythingElseForHttp1) {
  ASSERT_TRUE(session_.receive("P").ok());
  EXPECT_EQ(output_of(session_), "");
  ASSERT_TRUE(session_.receive("OST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n").ok());

  EXPECT_THAT(output_of(session_), StartsWith("HTTP/1.1 200"));
}

TEST_F(DetectingTest, AnswersAlmostAPrefaceAsBadHttp1) {
  EXPECT_FALSE(session_.receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\rX").ok());

  EXPECT_THAT(output_of(session_), StartsWith("HTTP/1.1 400"));
}

TEST_F(DetectingTest, HangsUpOnAClientThatSaysNothing) {
  EXPECT_TRUE(session_.sweep(Clock::now() + 1s).ok());
  EXPECT_FALSE(session_.sweep(Clock::now() + core::limits::kHeaderTimeout + 1s).ok());
}

TEST_F(DetectingTest, ADrainEndsAConnectionThatHasNotBegun) {
  session_.drain();

  EXPECT_TRUE(session_.finished());
}

TEST_F(DetectingTest, WhatComesAfterADrainDoesNotHoldItUp) {
  session_.drain();
  ASSERT_TRUE(session_.receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").ok());

  EXPECT_TRUE(session_.finished());
}

}  // namespace
}  // namespace flow::gateway
