// SPDX-License-Identifier: Apache-2.0
#include "host/executor/faults.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace flow::host {
namespace {

// Functions of their own, so that a stack names the fault.

[[gnu::noinline]] void injected_crash(int signal) {
  // As by the plugin's own doing: by this thread, with nothing blocked.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(signal);
}

[[gnu::noinline]] void injected_spin() {
  std::atomic<std::uint64_t> turns{0};
  while (true) turns.fetch_add(1, std::memory_order_relaxed);
}

[[gnu::noinline]] void injected_deadlock() {
  // std::mutex leaves it undefined; this kind is defined to hang.
  pthread_mutexattr_t normal;
  pthread_mutexattr_init(&normal);
  pthread_mutexattr_settype(&normal, PTHREAD_MUTEX_NORMAL);
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &normal);
  pthread_mutex_lock(&mutex);
  pthread_mutex_lock(&mutex);
}

}  // namespace

void Faults::before_create() {
  if (config_.slow_start.count() > 0) std::this_thread::sleep_for(config_.slow_start);
}

std::optional<flow_status> Faults::before_process(Call& call) {
  if (config_.grow > 0) grow();
  switch (plan_.next()) {
    case Fault::None:
      break;
    case Fault::Delay:
      std::this_thread::sleep_for(config_.delay_for);
      break;
    case Fault::Error:
      call.set_error("this error was asked for by [executors.fault]");
      return FLOW_INTERNAL;
    case Fault::Crash:
      injected_crash(config_.signal);
      break;  // some signals are survived
    case Fault::Exit:
      ::_exit(config_.exit_status);
    case Fault::Spin:
      injected_spin();
      break;
    case Fault::Deadlock:
      injected_deadlock();
      break;
  }
  return std::nullopt;
}

void Faults::grow() {
  // Written to, or the kernel would not count it.
  std::vector<std::uint8_t> more(config_.grow, 1);
  const std::lock_guard lock(mutex_);
  kept_.push_back(std::move(more));
}

}  // namespace flow::host
