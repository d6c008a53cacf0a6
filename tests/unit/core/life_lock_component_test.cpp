// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "core/file.hpp"
#include "core/life_lock.hpp"
#include "core/status.hpp"

namespace flow::core {
namespace {

using testing::HasSubstr;

class LifeLockTest : public testing::Test {
 protected:
  LifeLockTest() {
    std::string folder = "/tmp/flow-life-lock-XXXXXX";
    folder_ = ::mkdtemp(folder.data());
  }
  ~LifeLockTest() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name = "a.alive") const { return folder_ + "/" + name; }
  static ino_t inode(const std::string& file) {
    struct stat status {};
    EXPECT_EQ(::stat(file.c_str(), &status), 0) << file;
    return status.st_ino;
  }
  static Life life_of(const std::string& file, pid_t owner) {
    const auto bytes = read_file(file, 4096);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    if (!bytes.ok() || bytes->size() != sizeof(LifeRecord)) return Life::None;
    LifeRecord record{};
    std::memcpy(&record, bytes->data(), sizeof record);
    return read_life(record.word, owner);
  }
  // Runs `what` in a process of its own, to its end.
  static pid_t run(const std::function<void()>& what) {
    const pid_t child = ::fork();
    if (child == 0) {
      what();
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    return child;
  }

  std::string folder_;
};

TEST_F(LifeLockTest, SaysThatTheProcessLivesAndIsGoneWithIt) {
  {
    const auto lock = LifeLock::hold(std::array{file()});
    ASSERT_TRUE(lock.ok()) << lock.status();
    EXPECT_EQ(life_of(file(), ::getpid()), Life::Held);
  }
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(LifeLockTest, OnlyItsUserMayReadIt) {
  const auto lock = LifeLock::hold(std::array{file()});
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
}

TEST_F(LifeLockTest, AnAbruptEndIsADeathInEachOfItsFiles) {
  const pid_t child = run([&] {
    const auto lock = LifeLock::hold(std::array{file("a"), file("b"), file("c")});
    ::raise(SIGKILL);
  });
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(life_of(file(name), child), Life::Died);
}

TEST_F(LifeLockTest, AnEndWithoutDestructorsIsADeath) {
  const pid_t child = run([&] {
    const auto lock = LifeLock::hold(std::array{file()});
    std::_Exit(0);
  });
  EXPECT_EQ(life_of(file(), child), Life::Died);
}

TEST_F(LifeLockTest, AReleaseIsSeenByWhoHasTheFileOpen) {
  std::filesystem::path other = file("other");
  const pid_t child = run([&] {
    auto lock = LifeLock::hold(std::array{file()});
    std::filesystem::create_hard_link(file(), other);
    lock->reset();
    ::raise(SIGKILL);
  });
  EXPECT_EQ(life_of(other, child), Life::None);
}

TEST_F(LifeLockTest, TheNextProcessPutsAFileOfItsOwnInThePlace) {
  run([&] {
    const auto lock = LifeLock::hold(std::array{file()});
    ::raise(SIGKILL);
  });
  const ino_t before = inode(file());
  const auto lock = LifeLock::hold(std::array{file()});
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_NE(inode(file()), before);
  EXPECT_EQ(life_of(file(), ::getpid()), Life::Held);
}

TEST_F(LifeLockTest, AChildOfTheHolderMayDieWithoutHarm) {
  const auto lock = LifeLock::hold(std::array{file()});
  run([] { ::raise(SIGKILL); });
  EXPECT_EQ(life_of(file(), ::getpid()), Life::Held);
}

TEST_F(LifeLockTest, AFileThatWasCutShortIsNoHarmToItsHolder) {
  const pid_t child = ::fork();
  if (child == 0) {
    {
      const auto lock = LifeLock::hold(std::array{file("a"), file("b")});
      std::filesystem::resize_file(file("a"), 0);
    }
    ::_exit(7);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
}

TEST_F(LifeLockTest, AFolderThatIsNotThereIsNamed) {
  const auto lock = LifeLock::hold(std::array{folder_ + "/none/a.alive"});
  ASSERT_FALSE(lock.ok());
  EXPECT_THAT(std::string(message(lock.status())), HasSubstr("/none/a.alive"));
}

TEST_F(LifeLockTest, WhatIsNoFileInThePlaceIsNamedAndNothingIsLeftBehind) {
  std::filesystem::create_directory(file());
  const auto lock = LifeLock::hold(std::array{file()});
  ASSERT_FALSE(lock.ok());
  EXPECT_THAT(std::string(message(lock.status())), HasSubstr(file()));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(LifeLockTest, AThreadThatIsNotTheMainOneCannotHoldIt) {
  absl::Status status;
  std::thread([&] { status = LifeLock::hold(std::array{file()}).status(); }).join();
  EXPECT_THAT(std::string(message(status)), HasSubstr("the main thread"));
  EXPECT_FALSE(std::filesystem::exists(file()));
}

}  // namespace
}  // namespace flow::core
