// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "host/crash/plugin_mark.hpp"

// What a process writes down when it dies of a signal, and how (docs/crashes.md has the form).
namespace flow::host {

// Once, from main(), before any thread exists and after prepare_stacks(): from now on SIGSEGV,
// SIGBUS, SIGFPE, SIGILL, SIGABRT and SIGSYS leave a report in `folder` and then end the process as
// they would have: by the same signal, with a core file if the system makes one. Signals that have
// a handler already keep it (sanitizers). An error if nothing can be written there.
// `process` begins the names of its files: "normalize-rep-0".
absl::Status install_crash_handler(const std::string& folder, const std::string& process);

// Reports name this executor, too, for as long as this exists. `subject` must stay in place as
// long. Does nothing in a process without crash reports.
class CrashRegistration {
 public:
  explicit CrashRegistration(const CrashSubject& subject);
  CrashRegistration(const CrashRegistration&) = delete;
  CrashRegistration& operator=(const CrashRegistration&) = delete;
  ~CrashRegistration();

 private:
  std::size_t slot_;
};

// On the stack of each thread that runs a plugin's code, around all of it: gives it a name, and a
// second stack for signals, so that a stack that is full can be reported.
class PluginThread {
 public:
  // At most 15 characters.
  explicit PluginThread(const char* name);
  PluginThread(const PluginThread&) = delete;
  PluginThread& operator=(const PluginThread&) = delete;
  ~PluginThread();

 private:
  stack_t before_{};
  void* stack_ = nullptr;  // ours; nullptr: there was one already
  std::size_t size_ = 0;
};

}  // namespace flow::host
