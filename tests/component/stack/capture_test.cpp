// SPDX-License-Identifier: Apache-2.0
//
// Stacks of the own thread, from a function and from a signal's handler.
#include <setjmp.h>
#include <sys/mman.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "host/stack/stack.hpp"

namespace flow::host {

// Not in a namespace without a name, and not inlined or tail-called: tests look for these names.
[[gnu::noinline]] RawStack taken_here() {
  RawStack stack;
  capture_stack(stack, nullptr);
  return stack;
}

[[gnu::noinline]] RawStack caller_of_taken_here() {
  RawStack stack = taken_here();
  asm volatile("" ::: "memory");
  return stack;
}

namespace {
// Where the handler puts what it finds, and where it goes on.
RawStack in_handler;
sigjmp_buf* volatile after_signal = nullptr;
}  // namespace

[[gnu::noinline]] void reads_a_null_pointer(volatile int* pointer) {
  *pointer = 1;
  asm volatile("" ::: "memory");
}

[[gnu::noinline]] void calls(void (*function)()) {
  function();
  asm volatile("" ::: "memory");
}

[[gnu::noinline]] void raises_a_signal() {
  std::raise(SIGUSR1);
  asm volatile("" ::: "memory");
}

constexpr std::size_t kNeverReached = ~std::size_t{0};

[[gnu::noinline]] std::size_t recurses(std::size_t depth) {
  volatile char filler[256] = {};
  filler[0] = static_cast<char>(depth);
  if (depth == kNeverReached) return 0;
  return recurses(depth + 1) + static_cast<std::size_t>(filler[0]);
}

[[gnu::noinline]] RawStack recurses_and_takes(std::size_t depth) {
  RawStack stack = depth == 0 ? taken_here() : recurses_and_takes(depth - 1);
  asm volatile("" ::: "memory");
  return stack;
}

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

void on_signal(int, siginfo_t*, void* context) {
  capture_stack(in_handler, static_cast<const ucontext_t*>(context));
  if (after_signal != nullptr) siglongjmp(*after_signal, 1);
}

class HandledSignal {
 public:
  explicit HandledSignal(int number) : number_(number) {
    stack_.ss_size = 256 << 10;
    stack_.ss_sp =
        ::mmap(nullptr, stack_.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ::sigaltstack(&stack_, &stack_before_);
    struct sigaction action {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigaction(number, &action, &before_);
  }
  HandledSignal(const HandledSignal&) = delete;
  HandledSignal& operator=(const HandledSignal&) = delete;
  ~HandledSignal() {
    ::sigaction(number_, &before_, nullptr);
    ::sigaltstack(&stack_before_, nullptr);
  }

 private:
  int number_;
  stack_t stack_{};
  stack_t stack_before_{};
  struct sigaction before_ {};
};

// The lines of the stack at which `signal` comes while `work` runs.
template <typename Work>
std::vector<std::string> stack_at_signal(int signal, Work work) {
  const HandledSignal handled(signal);
  sigjmp_buf here;
  in_handler.count = 0;
  if (sigsetjmp(here, 1) == 0) {
    after_signal = &here;
    work();
  }
  after_signal = nullptr;
  return symbolise(in_handler);
}

class CaptureStack : public testing::Test {
 protected:
  void SetUp() override { prepare_stacks(); }
};

TEST_F(CaptureStack, BeginsWithItsCaller) {
  const auto lines = symbolise(caller_of_taken_here());
  ASSERT_GE(lines.size(), 3U);
  EXPECT_THAT(lines[0], AllOf(StartsWith("#0 0x"), HasSubstr(" flow::host::taken_here()+0x"),
                              HasSubstr(" in component_stack+0x"), HasSubstr(" (build id ")));
  EXPECT_THAT(lines[1], HasSubstr(" flow::host::caller_of_taken_here()+0x"));
  EXPECT_THAT(lines.back(), Not(HasSubstr("taken_here")));
}

TEST_F(CaptureStack, ReachesTheProgramsStart) {
  std::string all;
  for (const std::string& line : symbolise(taken_here())) all += line + '\n';
  EXPECT_THAT(all, AllOf(HasSubstr(" main+0x"), HasSubstr("libc")));
}

TEST_F(CaptureStack, HasNoMoreFramesThanThereIsRoomFor) {
  const RawStack stack = recurses_and_takes(1000);
  EXPECT_EQ(stack.count, RawStack::kFramesMax);
  EXPECT_THAT(symbolise(stack).back(), HasSubstr("recurses_and_takes"));
}

TEST_F(CaptureStack, OfASignalBeginsWhereItCame) {
  const auto lines = stack_at_signal(SIGSEGV, [] { reads_a_null_pointer(nullptr); });
  ASSERT_GE(lines.size(), 2U);
  EXPECT_THAT(lines[0], HasSubstr(" flow::host::reads_a_null_pointer(int volatile*)+0x"));
  EXPECT_THAT(lines[1], HasSubstr("stack_at_signal"));
}

TEST_F(CaptureStack, OfARaisedSignalHasTheWayToIt) {
  const auto lines = stack_at_signal(SIGUSR1, [] { raises_a_signal(); });
  std::string all;
  for (const std::string& line : lines) all += line + '\n';
  EXPECT_THAT(all, HasSubstr(" flow::host::raises_a_signal()+0x"));
  EXPECT_THAT(all, Not(HasSubstr("on_signal")));
}

TEST_F(CaptureStack, OfACallThroughANullPointerNamesTheCaller) {
  const auto lines = stack_at_signal(SIGSEGV, [] { calls(nullptr); });
  ASSERT_GE(lines.size(), 2U);
  EXPECT_EQ(lines[0], "#0 0x0 in no module");
  EXPECT_THAT(lines[1], HasSubstr(" flow::host::calls(void (*)())+0x"));
}

TEST_F(CaptureStack, OfACallIntoDataNamesTheCaller) {
  static int data = 0;
  const auto lines = stack_at_signal(SIGSEGV, [] {
    // In no module at all, and mapped.
    void* page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    calls(reinterpret_cast<void (*)()>(page));
  });
  ASSERT_GE(lines.size(), 2U);
  EXPECT_THAT(lines[0], HasSubstr("in no module"));
  EXPECT_THAT(lines[1], HasSubstr(" flow::host::calls(void (*)())+0x"));
  (void)data;
}

TEST_F(CaptureStack, OfAnOverflowHasItsInnermostFrames) {
  const auto lines = stack_at_signal(SIGSEGV, [] { recurses(0); });
  ASSERT_EQ(lines.size(), RawStack::kFramesMax);
  EXPECT_THAT(lines[0], HasSubstr(" flow::host::recurses(unsigned long)+0x"));
  EXPECT_THAT(lines.back(), HasSubstr(" flow::host::recurses(unsigned long)+0x"));
}

TEST_F(CaptureStack, IsWrittenWithoutFunctionsIfAnotherFileHasTakenThePlace) {
  auto frames = locate(taken_here());
  ASSERT_FALSE(frames.empty());
  frames.resize(1);
  frames[0].build_id = "0123";
  EXPECT_THAT(symbolise(frames),
              ElementsAre(AllOf(Not(HasSubstr("taken_here")), HasSubstr(" in component_stack+0x"),
                                HasSubstr("(build id 0123)"))));
}

TEST_F(CaptureStack, IsWrittenWithoutFunctionsIfTheFileIsGone) {
  EXPECT_THAT(symbolise(std::vector<Frame>{{0x7f0000001234, "/no/such/lib.so", 0x1234, "ab"}}),
              ElementsAre("#0 0x7f0000001234 in lib.so+0x1234 (build id ab)"));
}

TEST_F(CaptureStack, OfNoFramesHasNoLines) { EXPECT_TRUE(symbolise(RawStack{}).empty()); }

}  // namespace
}  // namespace flow::host
