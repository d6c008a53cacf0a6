// SPDX-License-Identifier: Apache-2.0
#include "host/crash/crash_report.hpp"

#include <csignal>
#include <random>
#include <string>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

constexpr std::string_view kReport =
    "flow-crash-report: 1\n"
    "time: 2026-11-22T10:18:07.439Z\n"
    "process: 24317\n"
    "thread: 24320 worker\n"
    "signal: 11\n"
    "code: 1\n"
    "address: 0x10\n"
    "function: process\n"
    "request: 3f2a /index\n"
    "executor: bad/rep-0\n"
    "plugin: bad\n"
    "plugin_version: 1.0.0\n"
    "plugin_file: /p/libbad.so\n"
    "plugin_build_id: ab12\n"
    "in_hand: 4711 /search\n"
    "frame: 0x7f0000001000 0x1000 cd34 /usr/lib/nowhere/libc.so.6\n"
    "frame: 0x7f00000011c4 0x11c4 ab12 /p/libbad.so\n"
    "frame: 0x1\n"
    "module: 0x7f0000000000 0x7f0000002000 ab12 /p/libbad.so\n"
    "end: 1\n";

std::string with(std::string_view key, std::string_view value) {
  std::string text(kReport);
  const std::size_t begin = text.find(std::string(key) + ": ");
  const std::size_t end = text.find('\n', begin);
  return text.replace(begin, end - begin, std::string(value));
}

TEST(CrashReport, HasAllThatTheProcessWroteDown) {
  const auto report = parse_crash_report(kReport);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->time, "2026-11-22T10:18:07.439Z");
  EXPECT_EQ(report->process, 24317);
  EXPECT_EQ(report->thread, 24320);
  EXPECT_EQ(report->thread_name, "worker");
  EXPECT_EQ(report->signal, SIGSEGV);
  EXPECT_EQ(report->address, "0x10");
  EXPECT_EQ(report->function, "process");
  ASSERT_THAT(report->calls, SizeIs(2));
  EXPECT_EQ(report->calls[0].request_id, "3f2a");
  EXPECT_EQ(report->calls[1].endpoint, "/search");
  ASSERT_THAT(report->subjects, SizeIs(1));
  EXPECT_EQ(report->subjects[0].executor, "bad/rep-0");
  EXPECT_EQ(report->subjects[0].file, "/p/libbad.so");
  ASSERT_THAT(report->stack, SizeIs(3));
  EXPECT_EQ(report->stack[1].offset, 0x11c4U);
  EXPECT_EQ(report->stack[1].build_id, "ab12");
  EXPECT_EQ(report->stack[2].module, "");
  EXPECT_THAT(report->modules, ElementsAre(HasSubstr("/p/libbad.so")));
  EXPECT_TRUE(report->complete);
}

TEST(CrashReport, BlamesThePluginsInnermostFrame) {
  const auto evidence = explain(*parse_crash_report(kReport));
  EXPECT_EQ(evidence.where,
            "in libbad.so+0x11c4, request \"3f2a\" to \"/index\" or one of 1 others");
  EXPECT_THAT(
      evidence.lines,
      ElementsAre("process 24317 died at 2026-11-22T10:18:07.439Z of signal 11 (SIGSEGV) at "
                  "address 0x10 (nothing is there)",
                  "executor \"bad/rep-0\", plugin \"bad\" 1.0.0 (/p/libbad.so, build id "
                  "ab12)",
                  "in thread 24320 \"worker\", in process() of the plugin",
                  "request \"3f2a\" to \"/index\"", "request \"4711\" to \"/search\"",
                  "#0 0x7f0000001000 in libc.so.6+0x1000 (build id cd34)",
                  "#1 0x7f00000011c4 in libbad.so+0x11c4 (build id ab12)", "#2 0x1 in no module"));
}

TEST(CrashReport, BlamesTheInnermostFrameIfThePluginIsNotOnTheStack) {
  const auto evidence = explain(*parse_crash_report(with("plugin_file", "plugin_file: /p/x.so")));
  EXPECT_THAT(evidence.where, HasSubstr("in libc.so.6+0x1000, request"));
}

TEST(CrashReport, NamesTheExceptionThatNobodyCaught) {
  const auto report =
      parse_crash_report(with("address", "sender: 24317\nexception: St13runtime_error no: way"));
  EXPECT_EQ(report->exception, "std::runtime_error: no: way");
  EXPECT_THAT(explain(*report).lines,
              AllOf(Contains("nobody caught std::runtime_error: no: way"),
                    Contains(HasSubstr("of signal 11 (SIGSEGV), which it sent itself"))));
}

TEST(CrashReport, ClaimsNoAddressAndNoSenderWhereTheKernelTellsNone) {
  for (const std::string_view address : {"x: y", "address: 0x0"}) {
    std::string text = with("address", address);
    text.replace(text.find("code: 1\n"), 8, "code: 128\n");
    const std::string first = explain(*parse_crash_report(text)).lines.front();
    EXPECT_THAT(first,
                HasSubstr("of signal 11 (SIGSEGV) at an address that the kernel does not tell"));
    EXPECT_THAT(first, Not(AnyOf(HasSubstr("0x0"), HasSubstr("sent"))));
  }
}

TEST(CrashReport, ThatIsCutOffKeepsWhatItHasAndSaysSo) {
  const auto end = kReport.find("frame: 0x7f00000011c4") + 20;
  const auto report = parse_crash_report(kReport.substr(0, end));
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->complete);
  EXPECT_THAT(report->stack, SizeIs(1)) << "half a line says something else";
  EXPECT_EQ(explain(*report).lines.back(), "the report is cut off here");
}

TEST(CrashReport, ThatIsNoneIsRefused) {
  for (const std::string_view text : {"", "\n", "garbage", "flow-crash-report: 2\nprocess: 1\n"}) {
    const auto report = parse_crash_report(text);
    EXPECT_TRUE(absl::IsInvalidArgument(report.status())) << text;
    EXPECT_THAT(std::string(core::message(report.status())), HasSubstr("not a crash report"));
  }
}

TEST(CrashReport, ThatDoesNotSayWhoDiedOfWhatIsRefused) {
  for (const std::string_view text :
       {"flow-crash-report: 1\n", "flow-crash-report: 1\nprocess: 7\n",
        "flow-crash-report: 1\nprocess: seven\nsignal: 11\nend: 1\n",
        "flow-crash-report: 1\nprocess: 99999999999999999999\nsignal: 11\n",
        "flow-crash-report: 1\nprocess: 7\nsignal: 11"}) {
    EXPECT_TRUE(absl::IsDataLoss(parse_crash_report(text).status())) << text;
  }
}

TEST(CrashReport, ThatRepeatsItselfIsBounded) {
  std::string text = "flow-crash-report: 1\nprocess: 7\nsignal: 11\n";
  for (int i = 0; i < 2000; ++i) {
    text += "frame: 0x1\nexecutor: a\nin_hand: x y\nmodule: 0x1 0x2 - /x\n";
  }
  const auto report = parse_crash_report(text);
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(report->stack, SizeIs(RawStack::kFramesMax));
  EXPECT_THAT(report->calls, SizeIs(core::limits::kCrashCallsMax));
  EXPECT_THAT(report->subjects, SizeIs(core::limits::kExecutorsMax));
  EXPECT_THAT(report->modules, SizeIs(core::limits::kCrashModulesMax));
}

TEST(CrashReport, SurvivesAnyTruncationAndMutation) {
  for (std::size_t size = 0; size < kReport.size(); ++size) {
    if (const auto report = parse_crash_report(kReport.substr(0, size)); report.ok()) {
      EXPECT_FALSE(report->complete);
      explain(*report);
    }
  }
  std::mt19937 random(1);
  for (int round = 0; round < 5000; ++round) {
    std::string text(kReport);
    for (int i = 0; i < 3; ++i) text[random() % text.size()] = static_cast<char>(random());
    if (const auto report = parse_crash_report(text); report.ok()) {
      for (const auto& line : explain(*report).lines) {
        EXPECT_EQ(line.find('\n'), std::string::npos);
      }
    }
  }
}

TEST(SignalText, KnowsTheirNamesAndSurvivesOthers) {
  EXPECT_EQ(signal_text(SIGSEGV), "signal 11 (SIGSEGV)");
  EXPECT_EQ(signal_name(SIGABRT), "SIGABRT");
  EXPECT_EQ(signal_text(1000), "signal 1000");
}

}  // namespace
}  // namespace flow::host
