// SPDX-License-Identifier: Apache-2.0
// Protects what load_config() says about files that cannot be read.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/config.hpp"
#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::core {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LoadConfig : public ::testing::Test {
 protected:
  LoadConfig() { fs::create_directories(folder_); }
  ~LoadConfig() override { fs::remove_all(folder_); }

  std::string write(const std::string& text) const {
    const fs::path file = folder_ / "flow.toml";
    std::ofstream(file) << text;
    return file;
  }
  static std::string failure_of(const std::string& file) {
    const auto config = load_config(file, process_environment());
    return config.ok() ? "no failure" : std::string(message(config.status()));
  }

  const fs::path folder_ =
      fs::path(::testing::TempDir()) / fmt::format("flow-load-config-{}", ::getpid());
};

TEST_F(LoadConfig, ReadsAFileAndTheEnvironment) {
  ::setenv("FLOW_TEST_USES", "echo", 1);
  const auto config =
      load_config(write("[[executors]]\nuses = \"${FLOW_TEST_USES}\"\n"), process_environment());

  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->executors[0].uses, "echo");
  EXPECT_EQ(config->name, folder_.filename().string());
  EXPECT_EQ(config->plugins[0], (folder_ / "plugins").string());
}

TEST_F(LoadConfig, TakesRelativePathsFromTheFilesFolder) {
  const std::string file = write("[[executors]]\nuses = \"./a.so\"\n");
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  const auto config = load_config("flow.toml", process_environment());
  fs::current_path(before);

  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->file, "flow.toml");
  EXPECT_EQ(config->name, folder_.filename().string());
  EXPECT_THAT(config->executors[0].uses, EndsWith("/a.so"));
  EXPECT_THAT(config->executors[0].uses, StartsWith("/"));
}

TEST_F(LoadConfig, NamesAFileThatIsMissing) {
  const auto config = load_config(folder_ / "none.toml", process_environment());

  EXPECT_EQ(config.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(failure_of("/nowhere/flow.toml"),
            "cannot read /nowhere/flow.toml: No such file or directory");
}

TEST_F(LoadConfig, NamesADirectory) {
  EXPECT_THAT(failure_of(folder_), EndsWith("Is a directory"));
  EXPECT_THAT(failure_of(folder_), StartsWith("cannot read " + folder_.string()));
}

TEST_F(LoadConfig, NamesAFileThatItMayNotRead) {
  const std::string file = write("");
  ::chmod(file.c_str(), 0);
  // Root may read everything, so be somebody else for a moment.
  const uid_t self = ::geteuid();
  constexpr uid_t kNobody = 65534;
  if (self == 0) {
    ASSERT_EQ(::seteuid(kNobody), 0);
  }
  const std::string failure = failure_of(file);
  if (self == 0) {
    ASSERT_EQ(::seteuid(self), 0);
  }

  EXPECT_EQ(failure, "cannot read " + file + ": Permission denied");
}

TEST_F(LoadConfig, NamesAFileThatIsTooLarge) {
  EXPECT_THAT(failure_of(write(std::string(limits::kConfigBytesMax + 1, '\n'))),
              HasSubstr("flow.toml: larger than 1048576 bytes"));
  EXPECT_THAT(failure_of("/dev/zero"), HasSubstr("larger than"));
}

TEST_F(LoadConfig, NamesThePlaceOfEveryMistake) {
  const std::string file = write("nam = 1\n[[executors]]\n");
  EXPECT_EQ(failure_of(file),
            file + ":1:1: unknown key \"nam\" in the file (did you mean \"name\"?)\n" + file +
                ":2:1: executor \"executor0\" has no `uses`: name its plugin");
}

TEST(ProcessEnvironment, TellsUnsetFromEmpty) {
  ::setenv("FLOW_TEST_EMPTY", "", 1);
  ::unsetenv("FLOW_TEST_UNSET");

  EXPECT_EQ(process_environment()("FLOW_TEST_EMPTY"), "");
  EXPECT_EQ(process_environment()("FLOW_TEST_UNSET"), std::nullopt);
}

}  // namespace
}  // namespace flow::core
