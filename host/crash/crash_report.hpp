// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "host/stack/stack.hpp"

// What a process wrote down when it died of a signal, as whoever reads it later sees it.
namespace flow::host {

inline constexpr std::string_view kCrashReportHead = "flow-crash-report: 1";
inline constexpr std::string_view kCrashReportTail = "end: 1";

// Those that leave one.
inline constexpr std::array kCrashSignals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};

struct CrashReport {
  struct Call {
    std::string request_id;
    std::string endpoint;
  };
  struct Subject {
    std::string executor;  // "normalize/rep-0"
    std::string plugin;
    std::string version;
    std::string file;
    std::string build_id;
  };

  std::string time;  // "2026-11-22T10:18:07.439Z"
  std::int64_t process = 0;
  std::int64_t thread = 0;
  std::string thread_name;
  int signal = 0;
  int code = 0;         // as siginfo_t has it
  std::string address;  // that could not be used; empty: the signal was sent, or nobody knows it
  std::int64_t sender = 0;
  std::vector<Subject>
      subjects;             // several if the thread belongs to none of the process's executors
  std::string function;     // of the plugin: "process"; empty: none that the host called
  std::vector<Call> calls;  // the one of `function`, if there is one, and then those in hand
  std::string exception;    // "std::runtime_error: message", if one was not caught
  std::vector<Frame> stack;
  std::vector<std::string> modules;  // "0x7f.. 0x7f.. 3fa2... /usr/lib/libc.so.6"
  bool complete = false;             // false: the report itself was cut off
};

// Takes anything: what it does not understand it leaves out. An error only if the text is no crash
// report at all, or none that says which process died of what.
absl::StatusOr<CrashReport> parse_crash_report(std::string_view text);

// "signal 11 (SIGSEGV)"; "SIGSEGV".
std::string signal_text(int signal);
std::string signal_name(int signal);

// What a report comes to, with its functions named.
struct CrashEvidence {
  // Where and on whose behalf, to stand behind "process 7 was killed by signal 11 (SIGSEGV)":
  // `in libbad.so bad::process()+0x1c, request "3f2a" to "/index"`. Empty if nothing is known.
  std::string where;
  // For people: facts first, then a line per frame. No line ends.
  std::vector<std::string> lines;
  std::string place{};  // of `where`: "libbad.so bad::process()+0x1c"

  // `where` as the end of a sentence: with a space before it, or nothing.
  std::string clause() const { return where.empty() ? where : " " + where; }
};
// Reads the files of the stack's modules: takes milliseconds.
CrashEvidence explain(const CrashReport& report);
// The `place` alone, of each; empty if nothing is known. Reads only the files of the functions to
// blame, each of them once.
std::vector<std::string> places_of(const std::vector<const CrashReport*>& reports);

}  // namespace flow::host
