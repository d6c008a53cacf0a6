// SPDX-License-Identifier: Apache-2.0
// What `flowctl crashes` says, of reports that are not files.
#include "flowctl/crashes/crash_list.hpp"

#include <csignal>

#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::ctl {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

host::CrashReport report() {
  host::CrashReport report;
  report.time = "2026-11-22T10:18:07.439Z";
  report.process = 7;
  report.thread = 8;
  report.thread_name = "worker";
  report.signal = SIGSEGV;
  report.code = SEGV_MAPERR;
  report.address = "0x0";
  report.subjects = {{"bad/rep-0", "bad", "1.0.0", "/p/bad.so", "ab12"}};
  report.function = "process";
  report.calls = {{"3f2a", "/index"}};
  report.stack = {{0x7f00000011c4, "/p/bad.so", 0x11c4, "ab12"}};
  report.complete = true;
  return report;
}

absl::Status refusal() {
  return core::error(absl::StatusCode::kDataLoss, "/c/x.crash: ends too early");
}

TEST(CrashesText, HasARowForEachAndSaysWhyOneCannotBeRead) {
  EXPECT_EQ(
      crashes_text("/c", {{"bad-7", report()}, {"x", refusal()}}, 0),
      "NAME   TIME                      EXECUTOR   PLUGIN  SIGNAL   REQUEST  FUNCTION\n"
      "bad-7  2026-11-22T10:18:07.439Z  bad/rep-0  bad     SIGSEGV  3f2a     bad.so+0x11c4\n"
      "x      -                         -          -       -        -        /c/x.crash: ends "
      "too early\n");
}

TEST(CrashesText, NamesForEachTheFunctionOfItsOwnReport) {
  host::CrashReport without_stack = report();
  without_stack.stack.clear();
  host::CrashReport other = report();
  other.stack[0].module = "/p/other.so";
  other.subjects[0].file = "/p/other.so";
  const std::string text = crashes_text(
      "/c", {{"x", refusal()}, {"n", without_stack}, {"o", other}, {"r", report()}}, 0);
  EXPECT_THAT(
      text,
      HasSubstr("\nn     2026-11-22T10:18:07.439Z  bad/rep-0  bad     SIGSEGV  3f2a     -\n"));
  EXPECT_THAT(text, HasSubstr("  other.so+0x11c4\nr "));
  EXPECT_THAT(text, EndsWith("  bad.so+0x11c4\n"));
}

TEST(CrashesText, SaysThatThereAreNone) {
  EXPECT_EQ(crashes_text("/c", {}, 0), "no crash reports in /c\n");
}

TEST(CrashesJson, HasTheSame) {
  const std::string json = crashes_json("/c", {{"bad-7", report()}, {"x", refusal()}});
  EXPECT_THAT(json, StartsWith(R"({"folder":"/c","crashes":[{"name":"bad-7","time":"2026)"));
  EXPECT_THAT(json, HasSubstr(R"("signal":11,"signal_name":"SIGSEGV")"));
  EXPECT_THAT(json, HasSubstr(R"("calls":[{"request":"3f2a","endpoint":"/index"}])"));
  EXPECT_THAT(json, HasSubstr(R"({"name":"x","error":"/c/x.crash: ends too early"}]})"));
}

TEST(CrashJson, SaysWhoSentTheSignal) {
  host::CrashReport sent = report();
  sent.address.clear();
  sent.sender = 4711;
  EXPECT_THAT(crash_json("a", sent), HasSubstr(R"("address":"","sender":4711,)"));
  EXPECT_THAT(crash_json("a", report()), HasSubstr(R"("address":"0x0","sender":0,)"));
}

TEST(CrashText, HasFactsAndAFramePerLine) {
  const std::string text = crash_text(report());
  EXPECT_THAT(text,
              StartsWith("process 7 died at 2026-11-22T10:18:07.439Z of signal 11 (SIGSEGV)"));
  EXPECT_THAT(text, HasSubstr("\n#0 0x7f00000011c4 in bad.so+0x11c4 (build id ab12)\n"));
}

}  // namespace
}  // namespace flow::ctl
