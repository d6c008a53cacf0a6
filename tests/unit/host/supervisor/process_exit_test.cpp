// SPDX-License-Identifier: Apache-2.0
//
// The words for how a process ended: the gateway's answers and the log quote them.
#include "host/supervisor/process_exit.hpp"

#include "host/supervisor/memory_kills.hpp"

#include <chrono>
#include <csignal>

#include "flow_driver.hpp"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

using How = ProcessExit::How;

TEST(ProcessExit, NamesTheSignalByNumberAndName) {
  EXPECT_EQ(describe({How::Killed, SIGKILL}), "was killed by signal 9 (SIGKILL)");
  EXPECT_EQ(describe({How::Killed, SIGSEGV}), "was killed by signal 11 (SIGSEGV)");
}

TEST(ProcessExit, ARealTimeSignalHasOnlyItsNumber) {
  EXPECT_EQ(describe({How::Killed, SIGRTMIN + 1}),
            "was killed by signal " + std::to_string(SIGRTMIN + 1));
}

TEST(ProcessExit, SaysTheStatusOfAnExit) {
  EXPECT_EQ(describe({How::Exited, 3}), "exited with status 3");
  EXPECT_EQ(describe({How::Exited, 0}), "exited with status 0");
}

TEST(ProcessExit, TheFullSentenceHasProcessAndAbsoluteTime) {
  EXPECT_EQ(describe(19059, {How::Killed, SIGKILL}, test_moment().wall),
            "process 19059 was killed by signal 9 (SIGKILL) at 2026-11-22T08:15:30.123Z");
}

TEST(ProcessExit, SaysWhenItWasProbablyTheKernelForWantOfMemory) {
  EXPECT_EQ(describe({How::Killed, SIGKILL, true}),
            "was killed by signal 9 (SIGKILL), probably by the kernel because memory ran out");
  EXPECT_EQ(describe({How::Killed, SIGSEGV, true}), "was killed by signal 11 (SIGSEGV)");
  EXPECT_EQ(describe({How::Exited, 9, true}), "exited with status 9");
}

TEST(MemoryKills, AreReadFromTheKernelsCounters) {
  EXPECT_EQ(parse_memory_kills("nr_free_pages 1\noom_kill 12\nnuma_hit 3\n"), 12U);
  EXPECT_EQ(parse_memory_kills("drop_pagecache 7\noom_kill 0\n"), 0U);
  for (const char* text :
       {"", "\n", "oom", "\noom_kill", "\noom_kill \n", "\noom_kill x\n", "\nzone_oom_kill 4\n"}) {
    EXPECT_EQ(parse_memory_kills(text), 0U) << text;
  }
}

TEST(ProcessExit, OnlyStatusZeroIsClean) {
  EXPECT_TRUE((ProcessExit{How::Exited, 0}.clean()));
  EXPECT_FALSE((ProcessExit{How::Exited, 1}.clean()));
  EXPECT_FALSE((ProcessExit{How::Killed, SIGTERM}.clean()));
}

TEST(DurationText, UsesTheUnitThatReadsBest) {
  using namespace std::chrono_literals;
  EXPECT_EQ(duration_text(60s), "60 s");
  EXPECT_EQ(duration_text(1500ms), "1.5 s");
  EXPECT_EQ(duration_text(250ms), "250 ms");
  EXPECT_EQ(duration_text(0ns), "0 ms");
}

}  // namespace
}  // namespace flow::host
