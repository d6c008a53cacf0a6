// SPDX-License-Identifier: Apache-2.0
//
// Processes that die, and what they write down.
#include "host/crash/crash_handler.hpp"

#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <thread>

#include "core/limits.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "host/crash/crash_folder.hpp"
#include "host/stack/stack.hpp"

// Functions that stand in stacks, and do what sanitizers would notice before it happens.
#define NAMED [[gnu::noinline, gnu::no_sanitize("address,undefined")]]

// Sanitizers handle these themselves, and keep them.
#if defined(FLOW_SANITIZED)
constexpr bool kSomebodyHandlesTheRest = true;
#else
constexpr bool kSomebodyHandlesTheRest = false;
#endif

namespace flow::host {

NAMED void stores_at(volatile int* pointer) {
  *pointer = 1;
  asm volatile("" ::: "memory");
}

NAMED int divides(int number, int by) {
  const volatile int divisor = by;
  const int result = number / divisor;
  asm volatile("" ::: "memory");
  return result;
}

constexpr std::size_t kNeverReached = ~std::size_t{0};

NAMED std::size_t overflows(std::size_t depth) {
  volatile char filler[256] = {};
  filler[0] = static_cast<char>(depth);
  if (depth == kNeverReached) return 0;
  return overflows(depth + 1) + static_cast<std::size_t>(filler[0]);
}

// Leaves no way back to its callers.
NAMED void breaks_its_stack() {
  // Not by memset(), where a sanitizer would look on.
  auto* const frame = static_cast<volatile char*>(__builtin_frame_address(0));
  for (std::size_t i = 0; i < 128; ++i) frame[i] = 0x55;
  stores_at(nullptr);
}

NAMED void throws_an_error() { throw std::runtime_error("nobody wants it"); }

NAMED void throws_through() noexcept {
  throws_an_error();
  asm volatile("" ::: "memory");
}

namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

struct Death {
  int status = 0;
  std::vector<CrashReport> reports;
  std::string text;  // of the only report, explained

  int signal() const { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
};

class CrashHandler : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "crashes-XXXXXX";
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  void TearDown() override { fs::remove_all(folder_); }

  // What `work` does to a process of its own.
  Death death_of(const std::function<void()>& work) const {
    const pid_t child = ::fork();
    if (child == 0) {
      const rlimit no_core{0, 0};
      ::setrlimit(RLIMIT_CORE, &no_core);
      prepare_stacks();
      if (!install_crash_handler(folder_, "test-rep-0").ok()) ::_exit(99);
      std::thread([&] {
        const PluginThread self("worker");
        work();
      }).join();
      ::_exit(0);
    }
    Death death;
    EXPECT_EQ(::waitpid(child, &death.status, 0), child);
    const auto files = list_crashes(folder_);
    if (!files.ok()) return death;
    for (const auto& file : *files) {
      EXPECT_TRUE(file.name.starts_with("test-rep-0-2")) << file.name;
      EXPECT_TRUE(file.name.ends_with("-" + std::to_string(child))) << file.name;
      auto report = read_crash(folder_, file.name);
      EXPECT_TRUE(report.ok()) << report.status();
      if (report.ok()) death.reports.push_back(*std::move(report));
    }
    if (death.reports.size() == 1) {
      for (const auto& line : explain(death.reports[0]).lines) death.text += line + '\n';
    }
    return death;
  }

  std::string folder_;
};

TEST_F(CrashHandler, WritesDownAFaultAndDiesOfItAllTheSame) {
  const Death death = death_of([] { stores_at(reinterpret_cast<int*>(16)); });
  EXPECT_EQ(death.signal(), SIGSEGV);
  ASSERT_THAT(death.reports, SizeIs(1));
  const CrashReport& report = death.reports[0];
  EXPECT_EQ(report.signal, SIGSEGV);
  EXPECT_EQ(report.address, "0x10");
  EXPECT_EQ(report.thread_name, "worker");
  EXPECT_TRUE(report.complete);
  EXPECT_FALSE(report.modules.empty());
  EXPECT_THAT(death.text, HasSubstr("#0 "));
  EXPECT_THAT(death.text, HasSubstr(" flow::host::stores_at(int volatile*)+0x"));
}

TEST_F(CrashHandler, WritesDownTheOtherSignals) {
  if (!kSomebodyHandlesTheRest) {
    const Death divided = death_of([] { divides(1, 0); });
    EXPECT_EQ(divided.signal(), SIGFPE);
    EXPECT_THAT(divided.text, HasSubstr("flow::host::divides(int, int)+0x"));
  }
  for (const int number : {SIGBUS, SIGILL, SIGABRT, SIGSYS}) {
    if (kSomebodyHandlesTheRest && number != SIGABRT) continue;
    TearDown();
    SetUp();
    const Death death = death_of([number] { std::raise(number); });
    EXPECT_EQ(death.signal(), number);
    EXPECT_THAT(death.text, HasSubstr("which it sent itself")) << number;
  }
}

TEST_F(CrashHandler, WritesDownAStackThatIsFull) {
  const Death death = death_of([] { overflows(0); });
  EXPECT_EQ(death.signal(), SIGSEGV);
  ASSERT_THAT(death.reports, SizeIs(1));
  EXPECT_THAT(death.reports[0].stack, SizeIs(RawStack::kFramesMax));
  EXPECT_THAT(death.text, HasSubstr("flow::host::overflows(unsigned long)+0x"));
}

TEST_F(CrashHandler, WritesDownWhatItCanOfAStackThatIsBroken) {
  const Death death = death_of([] { breaks_its_stack(); });
  EXPECT_EQ(death.signal(), SIGSEGV);
  ASSERT_THAT(death.reports, SizeIs(1));
  EXPECT_THAT(death.text, HasSubstr("flow::host::stores_at(int volatile*)+0x"));
}

TEST_F(CrashHandler, NamesTheExceptionThatEndedIt) {
  const Death death = death_of([] { throws_through(); });
  EXPECT_EQ(death.signal(), SIGABRT);
  EXPECT_THAT(death.text, AllOf(HasSubstr("nobody caught std::runtime_error: nobody wants it\n"),
                                HasSubstr("flow::host::throws_an_error()+0x")));
}

TEST_F(CrashHandler, NamesThePluginTheFunctionAndTheRequest) {
  const Death death = death_of([] {
    CrashSubject subject{"bad/rep-0", "bad", "1.0.0", "/p/bad.so", "ab12"};
    subject.calls = [](const void*, MarkedCall* to, std::size_t) -> std::size_t {
      to[0] = {"4711", "/search"};
      return 1;
    };
    const CrashRegistration registration(subject);
    CrashSubject other{"good/rep-0", "good", "1.0.0", "/p/good.so", ""};
    const CrashRegistration other_registration(other);
    const InPlugin mark(&subject, "process", {"3f2a", "/index"});
    stores_at(nullptr);
  });
  ASSERT_THAT(death.reports, SizeIs(1));
  const CrashReport& report = death.reports[0];
  EXPECT_EQ(report.function, "process");
  ASSERT_THAT(report.subjects, SizeIs(1)) << "the other one is not concerned";
  EXPECT_EQ(report.subjects[0].executor, "bad/rep-0");
  ASSERT_THAT(report.calls, SizeIs(2));
  EXPECT_EQ(report.calls[0].request_id, "3f2a");
  EXPECT_EQ(report.calls[0].endpoint, "/index");
  EXPECT_EQ(report.calls[1].request_id, "4711");
}

TEST_F(CrashHandler, NamesEveryExecutorIfTheThreadIsNobodys) {
  const Death death = death_of([] {
    const CrashSubject one{"one/rep-0", "p", "1.0.0", "/p/p.so", ""};
    const CrashSubject two{"two/rep-0", "p", "1.0.0", "/p/p.so", ""};
    const CrashRegistration first(one);
    { const CrashRegistration gone(one); }
    const CrashRegistration second(two);
    stores_at(nullptr);
  });
  ASSERT_THAT(death.reports, SizeIs(1));
  EXPECT_THAT(death.reports[0].subjects, SizeIs(2));
  EXPECT_EQ(death.reports[0].function, "");
}

TEST_F(CrashHandler, SurvivesARequestWhoseMemoryIsGone) {
  const Death death = death_of([] {
    const std::string_view gone(reinterpret_cast<const char*>(64), 32);
    const InPlugin mark(nullptr, "process", {gone, gone});
    stores_at(nullptr);
  });
  ASSERT_THAT(death.reports, SizeIs(1));
  EXPECT_EQ(death.reports[0].calls.at(0).request_id, "?");
  EXPECT_TRUE(death.reports[0].complete);
}

TEST_F(CrashHandler, KeepsLinesApartWhateverARequestIsCalled) {
  const Death death = death_of([] {
    const InPlugin mark(nullptr, "process", {"a\nsignal: 1\n", "\x1b[2J"});
    stores_at(nullptr);
  });
  ASSERT_THAT(death.reports, SizeIs(1));
  EXPECT_EQ(death.reports[0].signal, SIGSEGV);
}

#if defined(__x86_64__)
TEST_F(CrashHandler, TellsAWildPointerFromANullPointer) {
  const Death death = death_of([] { stores_at(reinterpret_cast<int*>(0xdeadbeefdeadbeef)); });
  EXPECT_EQ(death.signal(), SIGSEGV);
  ASSERT_THAT(death.reports, SizeIs(1));
  EXPECT_EQ(death.reports[0].address, "");
  EXPECT_TRUE(death.reports[0].complete);
  EXPECT_THAT(death.text, HasSubstr(" at an address that the kernel does not tell"));
  EXPECT_THAT(death.text, HasSubstr(" flow::host::stores_at(int volatile*)+0x"));
}
#endif

TEST_F(CrashHandler, KeepsTheInnermostFrameIfTheFactsEndWithinALine) {
  const Death death = death_of([] {
    CrashSubject subject{"bad/rep-0", "bad", "1.0.0", "/p/" + std::string(2000, 'x'), "ab12"};
    subject.calls = [](const void*, MarkedCall*, std::size_t) -> std::size_t {
      stores_at(nullptr);
      return 0;
    };
    const CrashRegistration registration(subject);
    stores_at(nullptr);
  });
  EXPECT_EQ(death.signal(), SIGSEGV);
  ASSERT_THAT(death.reports, SizeIs(1));
  EXPECT_TRUE(death.reports[0].complete);
  EXPECT_THAT(functions_of(death.reports[0].stack).at(0), HasSubstr("flow::host::stores_at("));
}

TEST_F(CrashHandler, HasTheStackHoweverLongARequestIsCalled) {
  const Death death = death_of([] {
    const std::string id(300 << 10, 'i');
    const std::string endpoint(300 << 10, 'e');
    const InPlugin mark(nullptr, "process", {id, endpoint});
    stores_at(nullptr);
  });
  ASSERT_THAT(death.reports, SizeIs(1));
  const CrashReport& report = death.reports[0];
  EXPECT_EQ(report.calls.at(0).request_id, std::string(256, 'i') + "...");
  EXPECT_EQ(report.calls.at(0).endpoint, std::string(256, 'e') + "...");
  EXPECT_TRUE(report.complete);
  EXPECT_THAT(death.text, HasSubstr(" flow::host::stores_at(int volatile*)+0x"));
}

TEST_F(CrashHandler, HasTheStackHoweverLongTheFactsAre) {
  const Death death = death_of([] {
    const CrashSubject subject{"bad/rep-0", "bad", std::string(300 << 10, '1'), "/p/bad.so", ""};
    const CrashRegistration registration(subject);
    stores_at(nullptr);
  });
  ASSERT_THAT(death.reports, SizeIs(1));
  EXPECT_TRUE(death.reports[0].complete);
  EXPECT_THAT(death.text, HasSubstr(" flow::host::stores_at(int volatile*)+0x"));
}

TEST_F(CrashHandler, DiesOfTheSameSignalIfTheReportTakesTooLong) {
  const Death death = death_of([] {
    CrashSubject subject{"bad/rep-0", "bad", "1.0.0", "/p/bad.so", ""};
    subject.calls = [](const void*, MarkedCall*, std::size_t) -> std::size_t {
      ::kill(::getpid(), SIGALRM);  // as when the time is over
      while (true) ::pause();
    };
    const CrashRegistration registration(subject);
    stores_at(nullptr);
  });
  EXPECT_EQ(death.signal(), SIGSEGV);
  ASSERT_THAT(death.reports, SizeIs(1));
  EXPECT_FALSE(death.reports[0].complete);
}

TEST_F(CrashHandler, WritesEvenWithoutADescriptorLeft) {
  const Death death = death_of([] {
    const rlimit few{64, 64};
    ::setrlimit(RLIMIT_NOFILE, &few);
    while (::dup(0) >= 0) {
    }
    stores_at(nullptr);
  });
  EXPECT_EQ(death.signal(), SIGSEGV);
  EXPECT_THAT(death.reports, SizeIs(1));
}

TEST_F(CrashHandler, WritesOneReportIfManyThreadsDie) {
  const Death death = death_of([] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([] {
        const PluginThread self("worker");
        stores_at(nullptr);
      });
    }
    for (auto& thread : threads) thread.join();
  });
  EXPECT_EQ(death.signal(), SIGSEGV);
  ASSERT_THAT(death.reports, SizeIs(1));
  EXPECT_TRUE(death.reports[0].complete);
}

TEST_F(CrashHandler, DiesOfTheSameSignalIfTheFolderIsGone) {
  const Death death = death_of([this] {
    fs::remove_all(folder_);
    stores_at(nullptr);
  });
  EXPECT_EQ(death.signal(), SIGSEGV);
  EXPECT_THAT(death.reports, SizeIs(0));
}

TEST_F(CrashHandler, IsNotInstalledWithoutAFolderToWriteInto) {
  EXPECT_FALSE(install_crash_handler("/proc/self/none/crashes", "test").ok());
  EXPECT_FALSE(install_crash_handler(
                   folder_ + "/" + std::string(200, 'x') + "/" + std::string(5000, 'x'), "test")
                   .ok());
}

TEST_F(CrashHandler, LeavesSignalsAloneThatSomebodyHandles) {
  const Death death = death_of([this] {
    struct sigaction theirs {};
    theirs.sa_handler = [](int) { ::_exit(42); };
    ::sigaction(SIGFPE, &theirs, nullptr);
    if (!install_crash_handler(folder_, "test-rep-0").ok()) ::_exit(99);
    std::raise(SIGFPE);
  });
  EXPECT_EQ(WEXITSTATUS(death.status), 42);
}

}  // namespace
}  // namespace flow::host
