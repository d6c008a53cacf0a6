// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <ucontext.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

// Native stacks: where a thread is, innermost function first. Taking one is apart from naming its
// functions, because the first has to work in a signal handler
// (docs/decisions/0019-native-stacks.md).
namespace flow::host {

struct RawStack {
  static constexpr std::size_t kFramesMax = 64;
  // Each lies inside of the instruction that is running: a caller's in its call, and not behind it,
  // where another function may begin.
  std::array<std::uintptr_t, kFramesMax> frames{};
  std::size_t count = 0;
};

// Once, from main(), before anything below: loads what unwinds, and installs the handler by which
// threads answer capture_stack_of().
void prepare_stacks();

// Of this thread. `at` is what the kernel gave the signal handler that is running: the stack begins
// where the signal came, even if that is no code (a call through a null pointer); nullptr: it
// begins with the caller. Frames are counted as they are found: if the stack is so broken that
// following it faults, those before remain. Async-signal-safe.
void capture_stack(RawStack& stack, const ucontext_t* at);

// Of this thread, beginning with the function in which `return_address` lies, which must be on it:
// for functions that do not want to be on the stacks that they take. Async-signal-safe.
void capture_stack_from(RawStack& stack, const void* return_address);

// Of another thread of this process, which is interrupted for it: a system call that it waits in
// may return EINTR. Blocks for at most `timeout`. NotFound: there is no such thread;
// DeadlineExceeded: it does not answer, be it that it blocks the signal or that the kernel does not
// let it go. Thread-safe.
absl::StatusOr<RawStack> capture_stack_of(pid_t tid, std::chrono::nanoseconds timeout);

// Where an address lies in its file, for as long as anybody wants to know.
struct Frame {
  std::uintptr_t address = 0;
  std::string module;         // the file's path; empty: in none
  std::uintptr_t offset = 0;  // what its symbols and addr2line count in
  std::string build_id;       // hexadecimal; empty: it has none
};
std::vector<Frame> locate(const RawStack& stack);

// "flow_fn(int)+0x1c" for each frame; empty if the file has no symbols for it, or is not the one
// that was loaded. Reads the files; takes milliseconds.
std::vector<std::string> functions_of(const std::vector<Frame>& frames);

// One line per frame, without their ends:
//   #3 0x7f1c2a3b41c4 flow_fn(int)+0x1c in libecho.so+0x11c4 (build id 3fa2...)
std::vector<std::string> lines_of(const std::vector<Frame>& frames,
                                  const std::vector<std::string>& functions);
std::vector<std::string> symbolise(const std::vector<Frame>& frames);
std::vector<std::string> symbolise(const RawStack& stack);

}  // namespace flow::host
