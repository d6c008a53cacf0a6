// SPDX-License-Identifier: Apache-2.0
// Real processes with life locks that are killed, stopped or end, and files that are no life locks.
#include "gateway/executors/death_watch.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/life_lock.hpp"
#include "core/unique_fd.hpp"
#include "gateway/net/loop.hpp"
#include "gtest/gtest.h"

namespace flow::gateway {
namespace {

using core::LifeRecord;
using core::UniqueFd;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

enum class With { Lock, NoLock };

// A process that listens on a Unix socket, with a life lock beside it.
class Process {
 public:
  explicit Process(std::string path, With with = With::Lock) : path_(std::move(path)) {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    control_.reset(pair[0]);
    pid_ = ::fork();
    if (pid_ == 0) live(pair[1], with);
    ::close(pair[1]);
    char byte = 0;
    EXPECT_EQ(::read(control_.get(), &byte, 1), 1) << "the process did not start";
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    signal(SIGKILL);
    wait();
  }

  const std::string& path() const { return path_; }
  std::string file() const { return core::life_lock_file(path_); }
  UniqueFd connect() const {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = address_of(path_);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  void signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);
  }
  void end_in_order() {
    ASSERT_EQ(::write(control_.get(), "!", 1), 1);
    wait();
  }
  void wait() {
    if (pid_ > 0) ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }

 private:
  [[noreturn]] void live(int control, With with) const {
    {
      std::unique_ptr<core::LifeLock> lock;
      if (with == With::Lock) {
        auto held = core::LifeLock::hold(std::array{file()});
        if (!held.ok()) ::_exit(1);
        lock = *std::move(held);
      }
      const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_un address = address_of(path_);
      char byte = '!';
      if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
          ::listen(listener, 8) != 0 || ::write(control, &byte, 1) != 1 ||
          ::read(control, &byte, 1) != 1) {
        ::_exit(1);
      }
    }
    ::_exit(0);
  }

  const std::string path_;
  UniqueFd control_;
  pid_t pid_ = 0;
};

class DeathWatchTest : public testing::Test {
 protected:
  DeathWatchTest() {
    std::string folder = "/tmp/flow-death-watch-XXXXXX";
    folder_ = ::mkdtemp(folder.data());
    if (::syscall(SYS_futex_waitv, nullptr, 0, 0, nullptr, 0) < 0 && errno == ENOSYS) {
      why_not_ = "this kernel cannot wait for many futexes";
    }
  }
  ~DeathWatchTest() override {
    watches_.clear();
    processes_.clear();
    std::filesystem::remove_all(folder_);
  }
  void SetUp() override {
    if (why_not_ != nullptr) GTEST_SKIP() << why_not_;
  }

  // All that a test needs are started before it watches one: a process with threads had better not
  // fork.
  Process& start(With with = With::Lock) {
    processes_.push_back(std::make_unique<Process>(
        folder_ + "/" + std::to_string(processes_.size()) + ".sock", with));
    return *processes_.back();
  }
  std::unique_ptr<DeathWatch::Watch> watch_alone(const Process& process) {
    const UniqueFd connected = process.connect();
    return deaths_.watch(process.path(), connected.get(),
                         [this, &process] { died_.push_back(&process); });
  }
  bool watch(const Process& process) {
    watches_.push_back(watch_alone(process));
    return watches_.back() != nullptr;
  }
  // Turns the loop until it is so.
  void wait(std::string_view what, const std::function<bool()>& so) {
    const Clock::time_point patience = Clock::now() + std::chrono::seconds(20);
    while (!so()) {
      ASSERT_LT(Clock::now(), patience) << "waited for " << what;
      loop_.io().restart();
      loop_.io().run_one_for(std::chrono::milliseconds(10));
    }
  }
  void wait_for_deaths(std::size_t count) {
    wait("deaths", [&] { return died_.size() >= count; });
  }
  // Whatever happened before this is known after it.
  void kill_and_wait_for(const Process& process) {
    process.signal(SIGKILL);
    wait("the death that comes after", [&] { return !died_.empty() && died_.back() == &process; });
  }
  // Has the thread look at its words.
  void call_the_watcher(const Process& process) { watch_alone(process).reset(); }

  using Deaths = std::vector<const Process*>;

  const char* why_not_ = nullptr;
  std::string folder_;
  Loop loop_;
  DeathWatch deaths_{loop_.io()};
  Deaths died_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<std::unique_ptr<DeathWatch::Watch>> watches_;
};

void write_word(const std::string& file, std::uint32_t word) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::pwrite(fd.get(), &word, sizeof word, offsetof(LifeRecord, word)), sizeof word);
}

TEST_F(DeathWatchTest, TellsOfAProcessThatIsKilled) {
  Process& process = start();
  ASSERT_TRUE(watch(process));
  process.signal(SIGKILL);
  wait_for_deaths(1);
  EXPECT_EQ(died_, Deaths{&process});
  EXPECT_EQ(deaths_.watched(), 0u);
}

TEST_F(DeathWatchTest, TellsOfOneThatEndsByACrash) {
  Process& process = start();
  ASSERT_TRUE(watch(process));
  process.signal(SIGABRT);
  wait_for_deaths(1);
  EXPECT_EQ(died_, Deaths{&process});
}

TEST_F(DeathWatchTest, AStoppedProcessIsNotDead) {
  Process& stopped = start();
  Process& other = start();
  ASSERT_TRUE(watch(stopped) && watch(other));
  stopped.signal(SIGSTOP);
  kill_and_wait_for(other);
  EXPECT_EQ(died_, Deaths{&other});
  EXPECT_EQ(deaths_.watched(), 1u);
  kill_and_wait_for(stopped);
}

TEST_F(DeathWatchTest, AnEndInOrderIsNoDeath) {
  Process& ended = start();
  Process& other = start();
  ASSERT_TRUE(watch(ended) && watch(other));
  ended.end_in_order();
  kill_and_wait_for(other);
  EXPECT_EQ(died_, Deaths{&other});
}

TEST_F(DeathWatchTest, TwoHundredAreWatchedAtOnceAndEachIsToldOfOnce) {
  for (int i = 0; i < 200; ++i) start();
  for (const auto& process : processes_) ASSERT_TRUE(watch(*process));
  EXPECT_EQ(deaths_.watched(), 200u);
  for (const auto& process : processes_) process->signal(SIGKILL);
  wait_for_deaths(200);
  for (const auto& process : processes_) EXPECT_EQ(std::ranges::count(died_, process.get()), 1);
  EXPECT_EQ(died_.size(), 200u);
}

TEST_F(DeathWatchTest, AWatchThatEndedIsNotCalled) {
  Process& process = start();
  Process& other = start();
  auto watch_of_it = watch_alone(process);
  ASSERT_TRUE(watch_of_it != nullptr && watch(other));
  watch_of_it.reset();
  EXPECT_EQ(deaths_.watched(), 1u);
  process.signal(SIGKILL);
  process.wait();
  kill_and_wait_for(other);
  EXPECT_EQ(died_, Deaths{&other});
}

TEST_F(DeathWatchTest, AWatchMayEndItselfWhenItIsCalled) {
  Process& process = start();
  const UniqueFd connected = process.connect();
  std::unique_ptr<DeathWatch::Watch> own;
  own = deaths_.watch(process.path(), connected.get(), [&] { own.reset(); });
  ASSERT_NE(own, nullptr);
  process.signal(SIGKILL);
  wait("its end", [&] { return own == nullptr; });
}

TEST_F(DeathWatchTest, TwoGatewaysBothHearOfADeath) {
  Process& process = start();
  DeathWatch other(loop_.io());
  int told = 0;
  const UniqueFd connected = process.connect();
  const auto theirs = other.watch(process.path(), connected.get(), [&] { ++told; });
  ASSERT_TRUE(theirs != nullptr && watch(process));
  process.signal(SIGKILL);
  wait("both", [&] { return told == 1 && died_.size() == 1; });
}

TEST_F(DeathWatchTest, EndsWhileThereIsSomethingToWaitFor) {
  Process& process = start();
  auto deaths = std::make_unique<DeathWatch>(loop_.io());
  const UniqueFd connected = process.connect();
  auto one = deaths->watch(process.path(), connected.get(), [] { FAIL(); });
  ASSERT_NE(one, nullptr);
  one.reset();
  deaths.reset();
}

// ---- what cannot be watched ---------------------------------------------------------------------

TEST_F(DeathWatchTest, AProcessWithoutALockIsNotWatched) {
  EXPECT_FALSE(watch(start(With::NoLock)));
  EXPECT_EQ(deaths_.watched(), 0u);
}

TEST_F(DeathWatchTest, AFileOfAnotherSizeIsNotALock) {
  Process& process = start();
  for (const std::uintmax_t size : {0u, 1u, 15u, 17u, 4096u}) {
    std::filesystem::resize_file(process.file(), size);
    EXPECT_FALSE(watch(process)) << size;
  }
}

TEST_F(DeathWatchTest, ALinkAFolderAndAPipeAreNoLocks) {
  Process& process = start(With::NoLock);
  Process& other = start();
  std::filesystem::create_symlink(other.file(), process.file());
  EXPECT_FALSE(watch(process));
  std::filesystem::remove(process.file());
  std::filesystem::create_directory(process.file());
  EXPECT_FALSE(watch(process));
  std::filesystem::remove(process.file());
  ASSERT_EQ(::mkfifo(process.file().c_str(), 0600), 0);
  EXPECT_FALSE(watch(process));
}

TEST_F(DeathWatchTest, TheLockOfAnotherProcessIsNotTaken) {
  Process& process = start(With::NoLock);
  Process& other = start();
  std::filesystem::copy_file(other.file(), process.file());
  EXPECT_FALSE(watch(process));
}

TEST_F(DeathWatchTest, AWordThatIsReleasedDeadOrNoneIsNotWaitedFor) {
  Process& process = start();
  for (const std::uint32_t word :
       {std::uint32_t{0}, std::uint32_t{FUTEX_OWNER_DIED | FUTEX_WAITERS}, ~std::uint32_t{0}}) {
    write_word(process.file(), word);
    EXPECT_FALSE(watch(process)) << word;
  }
}

TEST_F(DeathWatchTest, ASocketThatIsNotOfThisKindHasNoProcess) {
  Process& process = start();
  EXPECT_EQ(deaths_.watch(process.path(), -1, [] {}), nullptr);
  const UniqueFd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(deaths_.watch(process.path(), udp.get(), [] {}), nullptr);
}

// ---- words that somebody writes into ------------------------------------------------------------

TEST_F(DeathWatchTest, AWordThatBecomesNonsenseIsForgottenAndOthersAreStillWatched) {
  Process& process = start();
  Process& other = start();
  ASSERT_TRUE(watch(process) && watch(other));
  write_word(process.file(), 0xdeadbeef);
  call_the_watcher(other);
  wait("it to be forgotten", [&] { return deaths_.watched() == 1; });
  kill_and_wait_for(other);
  EXPECT_EQ(died_, Deaths{&other});
}

TEST_F(DeathWatchTest, AFileThatIsCutShortIsForgottenAndOthersAreStillWatched) {
  Process& process = start();
  Process& other = start();
  ASSERT_TRUE(watch(process) && watch(other));
  std::filesystem::resize_file(process.file(), 0);
  call_the_watcher(other);
  wait("it to be forgotten", [&] { return deaths_.watched() == 1; });
  kill_and_wait_for(other);
  EXPECT_EQ(died_, Deaths{&other});
}

TEST_F(DeathWatchTest, AForgedDeathIsToldOfOnce) {
  Process& process = start();
  Process& other = start();
  ASSERT_TRUE(watch(process) && watch(other));
  write_word(process.file(), FUTEX_OWNER_DIED | FUTEX_WAITERS);
  call_the_watcher(other);
  wait_for_deaths(1);
  kill_and_wait_for(other);
  EXPECT_EQ(died_, (Deaths{&process, &other}));
}

TEST_F(DeathWatchTest, OneThatIsWokenForNothingIsForgotten) {
  Process& process = start();
  Process& other = start();
  ASSERT_TRUE(watch(process) && watch(other));
  const UniqueFd fd(::open(process.file().c_str(), O_RDONLY | O_CLOEXEC));
  void* const mapped = ::mmap(nullptr, sizeof(LifeRecord), PROT_READ, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  wait("it to be woken and forgotten", [&] {
    ::syscall(SYS_futex, static_cast<char*>(mapped) + offsetof(LifeRecord, word), FUTEX_WAKE,
              INT_MAX, nullptr, nullptr, 0);
    return deaths_.watched() == 1;
  });
  ::munmap(mapped, sizeof(LifeRecord));
  kill_and_wait_for(other);
  EXPECT_EQ(died_, Deaths{&other});
}

}  // namespace
}  // namespace flow::gateway
