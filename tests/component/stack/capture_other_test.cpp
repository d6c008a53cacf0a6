// SPDX-License-Identifier: Apache-2.0
//
// Stacks of other threads, whatever they are at.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "host/stack/stack.hpp"

namespace flow::host {

[[gnu::noinline]] void reads_from(int fd) {
  char byte = 0;
  while (::read(fd, &byte, 1) < 0) {
  }
}

[[gnu::noinline]] void takes(std::mutex& mutex) {
  const std::lock_guard lock(mutex);
  asm volatile("" ::: "memory");
}

[[gnu::noinline]] void spins(const std::atomic<bool>& until) {
  while (!until.load(std::memory_order_relaxed)) {
  }
  asm volatile("" ::: "memory");
}

namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

// ThreadSanitizer runs them at the next call that it knows.
#if defined(FLOW_THREAD_SANITIZER)
constexpr bool kHandlersRunLater = true;
#else
constexpr bool kHandlersRunLater = false;
#endif

constexpr auto kPatience = 10s;

std::string text_of(const absl::StatusOr<RawStack>& stack) {
  if (!stack.ok()) return std::string(stack.status().message());
  std::string text;
  for (const std::string& line : symbolise(*stack)) text += line + '\n';
  return text;
}

// A thread that is doing `work`, and its id.
class Worker {
 public:
  explicit Worker(std::function<void()> work) {
    std::promise<pid_t> id;
    auto known = id.get_future();
    thread_ = std::thread([&id, work = std::move(work)] {
      id.set_value(::gettid());
      work();
    });
    tid = known.get();
  }
  ~Worker() { thread_.join(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  pid_t tid = 0;

 private:
  std::thread thread_;
};

class CaptureStackOf : public testing::Test {
 protected:
  void SetUp() override { prepare_stacks(); }

  // Asks until the thread is where it is going to: that it is on its way is no answer.
  static std::string text_when_in(pid_t tid, const std::string& function) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    std::string text;
    do {
      text = text_of(capture_stack_of(tid, kPatience));
    } while (text.find(function) == std::string::npos &&
             std::chrono::steady_clock::now() < deadline);
    return text;
  }
};

TEST_F(CaptureStackOf, AThreadThatWaitsInASystemCall) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  {
    const Worker worker([&] { reads_from(pipe[0]); });
    EXPECT_THAT(text_when_in(worker.tid, "reads_from"), HasSubstr("flow::host::reads_from(int)+"));
    ASSERT_EQ(::write(pipe[1], "x", 1), 1);
  }
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(CaptureStackOf, AThreadThatWaitsForAMutex) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  const Worker worker([&] { takes(mutex); });
  EXPECT_THAT(text_when_in(worker.tid, "takes"), HasSubstr("flow::host::takes(std::mutex&)+"));
  lock.unlock();
}

TEST_F(CaptureStackOf, AThreadThatSpins) {
  if (kHandlersRunLater) GTEST_SKIP() << "ThreadSanitizer runs handlers at the next call it knows";
  std::atomic<bool> stop = false;
  {
    const Worker worker([&] { spins(stop); });
    EXPECT_THAT(text_when_in(worker.tid, "spins"), HasSubstr("flow::host::spins("));
    stop = true;
  }
}

TEST_F(CaptureStackOf, TheOwnThread) {
  EXPECT_THAT(text_of(capture_stack_of(::gettid(), kPatience)), HasSubstr("main+"));
}

TEST_F(CaptureStackOf, NoThreadSaysSo) {
  pid_t gone = 0;
  std::thread([&] { gone = ::gettid(); }).join();
  const auto stack = capture_stack_of(gone, kPatience);
  ASSERT_FALSE(stack.ok());
  EXPECT_TRUE(absl::IsNotFound(stack.status())) << stack.status();
  EXPECT_THAT(text_of(stack), HasSubstr("no thread"));
  EXPECT_TRUE(absl::IsNotFound(capture_stack_of(0, kPatience).status()));
  EXPECT_TRUE(absl::IsNotFound(capture_stack_of(-1, kPatience).status()));
}

TEST_F(CaptureStackOf, AThreadOfAnotherProcessIsNotOurs) {
  EXPECT_TRUE(absl::IsNotFound(capture_stack_of(::getppid(), kPatience).status()));
}

// More of them than are waited for at once, whose answers come when nobody asks any more.
TEST_F(CaptureStackOf, AThreadThatBlocksTheSignalIsGivenUpOnInTime) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  for (int round = 0; round < 10; ++round) {
    std::promise<void> unblock;
    std::promise<void> blocked;
    const Worker worker([&] {
      sigset_t all;
      ::sigfillset(&all);
      ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
      blocked.set_value();
      unblock.get_future().wait();
      ::pthread_sigmask(SIG_UNBLOCK, &all, nullptr);  // answers here
      reads_from(pipe[0]);
    });
    blocked.get_future().wait();
    const auto before = std::chrono::steady_clock::now();
    const auto stack = capture_stack_of(worker.tid, 20ms);
    EXPECT_TRUE(absl::IsDeadlineExceeded(stack.status())) << stack.status();
    EXPECT_THAT(text_of(stack), HasSubstr("did not say within 20 ms where it is; its state is "));
    EXPECT_LT(std::chrono::steady_clock::now() - before, kPatience);
    unblock.set_value();
    EXPECT_THAT(text_when_in(worker.tid, "reads_from"), HasSubstr("reads_from"));
    ASSERT_EQ(::write(pipe[1], "x", 1), 1);
  }
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(CaptureStackOf, ManyThreadsAskedByMany) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  {
    const Worker one([&] { reads_from(pipe[0]); });
    const Worker two([&] { reads_from(pipe[0]); });
    std::vector<std::thread> askers;
    for (int i = 0; i < 4; ++i) {
      askers.emplace_back([&, tid = i % 2 == 0 ? one.tid : two.tid] {
        for (int round = 0; round < 50; ++round) {
          const auto stack = capture_stack_of(tid, kPatience);
          EXPECT_TRUE(stack.ok()) << stack.status();
        }
      });
    }
    for (auto& asker : askers) asker.join();
    ASSERT_EQ(::write(pipe[1], "xx", 2), 2);
  }
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(CaptureStackOf, IsRefusedIfSomebodyTookTheHandler) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  {
    const Worker worker([&] { reads_from(pipe[0]); });
    std::array<struct sigaction, 65> before{};
    for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) {
      struct sigaction none {};
      none.sa_handler = SIG_DFL;
      ::sigaction(number, &none, &before[static_cast<std::size_t>(number)]);
    }
    const auto stack = capture_stack_of(worker.tid, kPatience);
    EXPECT_TRUE(absl::IsFailedPrecondition(stack.status())) << stack.status();
    for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) {
      ::sigaction(number, &before[static_cast<std::size_t>(number)], nullptr);
    }
    ASSERT_EQ(::write(pipe[1], "x", 1), 1);
  }
  ::close(pipe[0]);
  ::close(pipe[1]);
}

}  // namespace
}  // namespace flow::host
