// SPDX-License-Identifier: Apache-2.0
#include "host/executor/hang_text.hpp"

#include <gtest/gtest.h>

namespace flow::host {
namespace {

using namespace std::chrono_literals;

TEST(HangText, NamesTheCallItsEndpointAndTheSilence) {
  EXPECT_EQ(stuck_call_text("3f2a", "/index", Where::InProcess, 30'049ms),
            "call \"3f2a\" at /index made no progress for 30.0 s (hang_budget)");
  EXPECT_EQ(stuck_call_text("", "/", Where::Pending, 1500ms),
            "a call at / made no progress for 1.5 s (hang_budget): process() returned "
            "FLOW_PENDING, and no call_finish() followed");
}

TEST(HangText, RepeatsWhatCallersSentOnOneLineAndNotAllOfIt) {
  const std::string text =
      stuck_call_text("a\nb\x1b" + std::string(1000, 'x'), "/in\ndex", Where::InProcess, 1s);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_LT(text.size(), 250U);
}

TEST(HangText, NamesTheFunctionAndWhatItMayTake) {
  EXPECT_EQ(stuck_create_text("encoder", 1500ms),
            "create() of plugin \"encoder\" did not return within 1.5 s (timeout_ready)");
  EXPECT_EQ(stuck_function_text("health()", "encoder", 3049ms, 3s),
            "health() of plugin \"encoder\" has not returned for 3.0 s, it has 3 s");
}

}  // namespace
}  // namespace flow::host
