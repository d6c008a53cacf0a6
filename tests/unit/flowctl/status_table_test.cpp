// SPDX-License-Identifier: Apache-2.0
// The table of `flowctl status`.
#include "flowctl/status/status_table.hpp"

#include "core/time_text.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::ctl {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Json replica(std::string state, std::string reason) {
  return Json::Object{{"state", std::move(state)},
                      {"since", "2026-11-22T08:15:30.123Z"},
                      {"reason", std::move(reason)},
                      {"address", "0.0.0.0:12346"},
                      {"restarts", 1},
                      {"in_flight", 2},
                      {"requests_per_second", 12.34},
                      {"p50_ms", 1.234},
                      {"p99_ms", 23.4}};
}

TEST(StatusTable, HasARowForEachReplica) {
  const Json report = Json::Object{
      {"time", "2026-11-22T08:15:42.000Z"},
      {"ready", true},
      {"executors",
       Json::Array{Json::Object{
           {"name", "encode"},
           {"replicas", Json::Array{replica("READY", "serving"), replica("BACKOFF", "died")}}}}}};
  EXPECT_EQ(status_table("grpc://h:1", report, 0),
            // clang-format off
"grpc://h:1 is ready\n"
"EXECUTOR  REPLICA  STATE    SINCE  RESTARTS  IN FLIGHT  REQ/S     P50     P99  ADDRESS        REASON\n"
"encode          0  READY      11s         1          2   12.3  1.23ms  23.4ms  0.0.0.0:12346  serving\n"
"encode          1  BACKOFF    11s         1          2   12.3  1.23ms  23.4ms  0.0.0.0:12346  died\n");
  // clang-format on
}

TEST(StatusTable, SaysWhyTheFlowIsNotReady) {
  const Json report = Json::Object{{"ready", false}, {"reason", "a is\nFAILED"}};
  EXPECT_THAT(status_table("grpc://h:1", report, 0),
              HasSubstr("grpc://h:1 is not ready: a is\\nFAILED\n"));
}

TEST(StatusTable, ShowsWhatIsMissingAsNothing) {
  const Json report = Json::Object{
      {"executors",
       Json::Array{Json::Object{{"replicas", Json::Array{Json::Object{}, Json(3), Json()}}}}}};
  EXPECT_THAT(status_table("u", report, 0),
              HasSubstr("\n-               2  -          -         -          -      -    -    -  "
                        "-        -\n"));
}

TEST(StatusTable, SurvivesAnyJson) {
  for (const Json& report : {Json(), Json(1), Json("x"), Json(Json::Array{Json(1)}),
                             Json(Json::Object{{"executors", "x"}, {"time", 3}}),
                             Json(Json::Object{{"executors", Json::Array{Json(1), Json("x")}}})}) {
    EXPECT_THAT(status_table("u", report, 40), HasSubstr("u is not ready"));
  }
}

TEST(AgeText, IsShort) {
  EXPECT_EQ(age_text(-5s), "0s");
  EXPECT_EQ(age_text(119s), "119s");
  EXPECT_EQ(age_text(2min), "2m");
  EXPECT_EQ(age_text(3h), "3h");
  EXPECT_EQ(age_text(24h * 5), "5d");
}

TEST(ParseUtc, ReadsWhatOursWrite) {
  const std::chrono::system_clock::time_point time{1795335330123ms};
  EXPECT_EQ(parse_utc(core::utc_text(time)), time);
}

TEST(ParseUtc, RefusesEverythingElse) {
  for (const char* text : {"", "2026-11-22", "2026-13-22T08:15:30.123Z", "2026-02-30T08:15:30.123Z",
                           "2026-11-22T08:15:30.123+", "xxxx-11-22T08:15:30.123Z",
                           "2026-11-22 08:15:30.123Z", "2026-11-22T-8:15:30.123Z"}) {
    EXPECT_FALSE(parse_utc(text)) << text;
  }
}

}  // namespace
}  // namespace flow::ctl
