// SPDX-License-Identifier: Apache-2.0
//
// The folder of Unix sockets: private, gone afterwards, and cleaned up after killed supervisors.
#include "host/supervisor/runtime_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>

#include "gtest/gtest.h"
#include "host/supervisor/child_process.hpp"
#include "support.hpp"

namespace flow::host {
namespace {

namespace fs = std::filesystem;

pid_t dead_process() {
  const auto child = spawn({{FLOW_TEST_CHILD, "exit", "0"}, {}, -1});
  EXPECT_TRUE(child.ok());
  EXPECT_TRUE(wait_readable(child->pidfd.get()));
  EXPECT_TRUE(reap(child->pidfd.get()));
  return child->pid;
}

class RuntimeFolderTest : public ::testing::Test {
 protected:
  std::string make(const std::string& name) {
    const std::string path = parent_.path() + "/" + name;
    fs::create_directory(path);
    std::ofstream(path + "/executor0-0.sock") << "";
    return path;
  }
  std::unique_ptr<RuntimeFolder> create() {
    auto folder = RuntimeFolder::create(parent_.path());
    EXPECT_TRUE(folder.ok()) << folder.status();
    return folder.ok() ? *std::move(folder) : nullptr;
  }

  TemporaryFolder parent_;
};

TEST_F(RuntimeFolderTest, OnlyItsUserMayEnter) {
  const auto folder = create();
  struct stat status {};
  ASSERT_EQ(::stat(folder->path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
}

TEST_F(RuntimeFolderTest, IsGoneAfterItsLifeWithAllThatIsInIt) {
  auto folder = create();
  const std::string path = folder->path();
  std::ofstream(folder->socket_path("executor0", 1)) << "";
  folder.reset();
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(RuntimeFolderTest, RemovesWhatADeadSupervisorLeft) {
  const std::string stale = make("flow-host-" + std::to_string(dead_process()) + "-abcdef");
  const auto folder = create();
  EXPECT_FALSE(fs::exists(stale));
}

TEST_F(RuntimeFolderTest, LeavesAloneWhatALivingOneUses) {
  const std::string used = make("flow-host-" + std::to_string(::getpid()) + "-abcdef");
  const auto folder = create();
  EXPECT_TRUE(fs::exists(used));
}

TEST_F(RuntimeFolderTest, LeavesAloneWhatIsLockedThoughTheProcessIdMeansNothingHere) {
  const std::string used = make("flow-host-" + std::to_string(dead_process()) + "-abcdef");
  const core::UniqueFd lock(::open(used.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  const auto folder = create();
  EXPECT_TRUE(fs::exists(used));
}

TEST_F(RuntimeFolderTest, LeavesAloneWhatHasAnotherName) {
  const std::string dead = std::to_string(dead_process());
  const std::vector<std::string> others = {make("flow-host-"), make("flow-host-x-abcdef"),
                                           make("flow-host-" + dead), make("other-" + dead + "-a")};
  const auto folder = create();
  for (const std::string& other : others) EXPECT_TRUE(fs::exists(other)) << other;
}

TEST_F(RuntimeFolderTest, APathThatIsTooLongForASocketIsNone) {
  const auto folder = create();
  EXPECT_EQ(folder->socket_path("executor0", 1), folder->path() + "/executor0-1.sock");
  EXPECT_EQ(folder->socket_path(std::string(100, 'x'), 1), "");
}

TEST(RuntimeFolder, AParentThatIsNotThereIsAnError) {
  EXPECT_FALSE(RuntimeFolder::create("/nowhere/at/all").ok());
}

}  // namespace
}  // namespace flow::host
