// SPDX-License-Identifier: Apache-2.0
//
// The stack of another thread: it is sent a signal and writes it down itself.
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <mutex>
#include <string_view>

#include "core/file.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "host/stack/module_at.hpp"
#include "host/stack/stack.hpp"

namespace flow::host {
namespace {

using std::chrono::nanoseconds;

// What is asked of a thread and what it answers. A question that nobody waits for any more may be
// answered nevertheless, at any time: so it has a number of its own, and its slot is not used again
// while somebody writes into it.
struct Slot {
  enum State : std::uint64_t { Free, Asked, Answering, Answered };
  std::atomic<std::uint64_t> state{Free};  // with the question's number
  RawStack stack;
  sem_t answered{};

  static std::uint64_t word(std::uint64_t number, State state) { return number * 4 + state; }
  static State state_of(std::uint64_t word) { return static_cast<State>(word % 4); }
};

// Threads that stop in the middle of their answer, one each, before there is no asking any more.
constexpr std::size_t kSlots = 4;

// Process-wide, as signal handlers are.
constinit std::array<Slot, kSlots> slots{};
constinit std::timed_mutex one_at_a_time;
constinit std::uint64_t last_number = 0;

// Not one of those that glibc, debuggers or sanitizers use.
int capture_signal() { return SIGRTMIN + 7; }

void on_capture_signal(int, siginfo_t* info, void* context) {
  if (info->si_code != SI_QUEUE || info->si_pid != ::getpid()) return;
  const int before = errno;
  const auto number = reinterpret_cast<std::uint64_t>(info->si_value.sival_ptr);
  Slot& slot = slots[number % kSlots];
  std::uint64_t expected = Slot::word(number, Slot::Asked);
  if (slot.state.compare_exchange_strong(expected, Slot::word(number, Slot::Answering))) {
    capture_stack(slot.stack, static_cast<const ucontext_t*>(context));
    slot.state.store(Slot::word(number, Slot::Answered));
    ::sem_post(&slot.answered);
  }
  errno = before;
}

timespec timespec_of(std::chrono::steady_clock::time_point time) {
  const auto since = nanoseconds(time.time_since_epoch()).count();
  constexpr std::int64_t kSecond = 1'000'000'000;
  return {static_cast<time_t>(since / kSecond), static_cast<long>(since % kSecond)};
}

// The first number from `number` on whose slot nobody writes into; 0 if there is none.
std::uint64_t usable_from(std::uint64_t number) {
  for (std::size_t i = 0; i < kSlots; ++i, ++number) {
    if (Slot::state_of(slots[number % kSlots].state) != Slot::Answering) return number;
  }
  return 0;
}

// The default action would end the process, and another handler would not answer.
absl::Status check_handler() {
  struct sigaction installed {};
  ::sigaction(capture_signal(), nullptr, &installed);
  if ((installed.sa_flags & SA_SIGINFO) != 0 && installed.sa_sigaction == on_capture_signal) {
    return absl::OkStatus();
  }
  return core::error(absl::StatusCode::kFailedPrecondition,
                     fmt::format("somebody took over the handler of signal {}, by which threads "
                                 "are asked where they are",
                                 capture_signal()));
}

absl::Status send(pid_t tid, std::uint64_t number) {
  siginfo_t info{};
  info.si_signo = capture_signal();
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_ptr = reinterpret_cast<void*>(number);
  if (::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), tid, capture_signal(), &info) == 0) {
    return absl::OkStatus();
  }
  if (errno == ESRCH || errno == EINVAL) {
    return core::error(absl::StatusCode::kNotFound,
                       fmt::format("process {} has no thread {}", ::getpid(), tid));
  }
  return core::system_error(errno, fmt::format("signal to thread {}", tid));
}

// "D" of a thread that the kernel does not let go; proc(5) has the letters.
std::string kernel_state(pid_t tid) {
  constexpr std::size_t kBytesMax = 4096;
  const auto text = core::read_file(fmt::format("/proc/self/task/{}/stat", tid), kBytesMax);
  if (!text.ok()) return "?";
  const std::size_t name_end = text->rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text->size()) return "?";
  return text->substr(name_end + 2, 1);
}

absl::Status no_answer(pid_t tid, nanoseconds timeout) {
  return core::error(
      absl::StatusCode::kDeadlineExceeded,
      fmt::format("thread {} did not say within {} ms where it is; its state is {} (proc(5)): it "
                  "blocks signal {}, or the kernel does not let it go",
                  tid, timeout / std::chrono::milliseconds(1), kernel_state(tid),
                  capture_signal()));
}

}  // namespace

void prepare_stacks() {
  remember_program_path();
  // What is called for the first time is looked up by the loader, which is no work for a handler.
  RawStack first;
  capture_stack(first, nullptr);
  Module module;
  module_at(first.count > 0 ? first.frames[0] : 0, module);

  for (Slot& slot : slots) ::sem_init(&slot.answered, 0, 0);
  struct sigaction action {};
  action.sa_sigaction = on_capture_signal;
  // On the alternative stack: the thread's own may be nearly full.
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  ::sigfillset(&action.sa_mask);
  ::sigaction(capture_signal(), &action, nullptr);
}

absl::StatusOr<RawStack> capture_stack_of(pid_t tid, nanoseconds timeout) {
  if (tid == ::gettid()) {
    RawStack own;
    capture_stack(own, nullptr);
    return own;
  }
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const std::unique_lock lock(one_at_a_time, deadline);
  if (!lock) return no_answer(tid, timeout);
  FLOW_RETURN_IF_ERROR(check_handler());
  const std::uint64_t number = usable_from(last_number + 1);
  if (number == 0) {
    return core::error(absl::StatusCode::kResourceExhausted,
                       fmt::format("{} threads were asked where they are and did not come to the "
                                   "end of their answer",
                                   kSlots));
  }
  last_number = number;
  Slot& slot = slots[number % kSlots];
  while (::sem_trywait(&slot.answered) == 0) {
  }
  slot.state = Slot::word(number, Slot::Asked);
  if (auto sent = send(tid, number); !sent.ok()) {
    slot.state = Slot::Free;
    return sent;
  }
  const timespec until = timespec_of(deadline);
  while (::sem_clockwait(&slot.answered, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR) {
  }
  std::uint64_t asked = Slot::word(number, Slot::Asked);
  if (slot.state.compare_exchange_strong(asked, Slot::Free) ||
      Slot::state_of(asked) != Slot::Answered) {
    return no_answer(tid, timeout);
  }
  return slot.stack;
}

}  // namespace flow::host
