// SPDX-License-Identifier: Apache-2.0
#include "host/crash/crash_folder.hpp"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

namespace fs = std::filesystem;
namespace limits = core::limits;
using std::chrono::system_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

core::Environment variables(std::map<std::string, std::string> values) {
  return [values](const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST(CrashFolder, IsTheConfiguredOneOrInTheStateFolder) {
  const auto all = variables({{"STATE_DIRECTORY", "/var/lib/flow-host:/var/lib/other"},
                              {"XDG_STATE_HOME", "/state"},
                              {"HOME", "/h"}});
  EXPECT_EQ(crash_folder("/configured", all), "/configured");
  EXPECT_EQ(crash_folder("", all), "/var/lib/flow-host/crashes");
  EXPECT_EQ(crash_folder("", variables({{"XDG_STATE_HOME", "/state"}, {"HOME", "/h"}})),
            "/state/flow-host/crashes");
  EXPECT_EQ(crash_folder("", variables({{"XDG_STATE_HOME", "relative"}, {"HOME", "/h"}})),
            "/h/.local/state/flow-host/crashes");
  EXPECT_EQ(crash_folder("", variables({{"HOME", ""}})), "");
}

class CrashFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "crashes-XXXXXX";
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    top_ = path;
    folder_ = top_ + "/deep/crashes";
  }
  void TearDown() override { fs::remove_all(top_); }

  // Written so many seconds after the others.
  void write(const std::string& file, const std::string& text, int later = 0) const {
    std::ofstream(folder_ + "/" + file) << text;
    fs::last_write_time(folder_ + "/" + file,
                        fs::file_time_type::clock::now() + std::chrono::seconds(later));
  }
  static std::string report_of(int process) {
    return "flow-crash-report: 1\nprocess: " + std::to_string(process) + "\nsignal: 11\nend: 1\n";
  }
  // A name of the form that reports have.
  static std::string named(const std::string& process, int pid = 1) {
    return process + "-20261122T101807.439-" + std::to_string(pid);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    const auto files = list_crashes(folder_);
    if (files.ok()) {
      for (const auto& file : *files) names.push_back(file.name);
    }
    return names;
  }

  std::string top_;
  std::string folder_;
};

TEST_F(CrashFolderTest, IsMadeForItsUserAlone) {
  ASSERT_TRUE(prepare_crash_folder(folder_).ok());
  struct stat status {};
  ASSERT_EQ(::stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
  EXPECT_TRUE(prepare_crash_folder(folder_).ok()) << "once more";
}

TEST_F(CrashFolderTest, ThatCannotBeMadeOrWrittenIsAnError) {
  std::ofstream(top_ + "/file") << "x";
  EXPECT_FALSE(prepare_crash_folder(top_ + "/file").ok());
  EXPECT_FALSE(prepare_crash_folder(top_ + "/file/crashes").ok());
  EXPECT_FALSE(prepare_crash_folder("/proc/crashes").ok());
  EXPECT_THAT(
      std::string(core::message(crash_folder_unusable(prepare_crash_folder(top_ + "/file")))),
      HasSubstr("there will be no crash reports: "));
}

TEST_F(CrashFolderTest, ThatIsNotThereHasNoReports) {
  const auto files = list_crashes(folder_);
  ASSERT_TRUE(files.ok());
  EXPECT_THAT(*files, SizeIs(0));
  EXPECT_FALSE(list_crashes("/proc/self/exe").ok());
  EXPECT_FALSE(crash_of(folder_, 7, {}));
}

TEST_F(CrashFolderTest, ListsTheOldestFirstAndNothingElse) {
  ASSERT_TRUE(prepare_crash_folder(folder_).ok());
  write(named("b") + ".crash", report_of(1), 2);
  write(named("a") + ".crash", report_of(2), 3);
  write(named("c") + ".crash", report_of(3), 1);
  write("d.txt", "");
  fs::create_directory(folder_ + "/" + named("e") + ".crash");
  fs::create_symlink("/etc/passwd", folder_ + "/" + named("f") + ".crash");
  EXPECT_THAT(names(), ElementsAre(named("c"), named("b"), named("a")));
}

TEST_F(CrashFolderTest, ListsNoFileOfSomebodyElsesThatEndsInTheSameWay) {
  ASSERT_TRUE(prepare_crash_folder(folder_).ok());
  for (const char* const foreign :
       {"_usr_bin_python3.12.1000.crash", "7.crash", ".crash", "-20261122T101807.439-7.crash",
        "a-20261122T101807.439-.crash", "a-20261122T101807.439.crash", "a-20261122T101807-7.crash",
        "a-20261122 101807.439-7.crash", "a-2026112xT101807.439-7.crash",
        "a-20261122T101807.439-7x.crash", "a-20261122T101807.439--7.crash",
        "a20261122T101807.439-7.crash"}) {
    write(foreign, report_of(7));
  }
  EXPECT_THAT(names(), SizeIs(0));
  EXPECT_TRUE(absl::IsNotFound(read_crash(folder_, "7").status()));
}

TEST_F(CrashFolderTest, KeepsTheNewestReportsAndWhatIsNone) {
  ASSERT_TRUE(prepare_crash_folder(folder_).ok());
  const std::string foreign = "_usr_bin_python3.12.1000.crash";
  write("kept.txt", "");
  write(foreign, std::string(1000, 'x'), -3600);
  const auto count = static_cast<int>(limits::kCrashReportsMax) + 5;
  for (int i = 0; i < count; ++i) write(named(std::to_string(i)) + ".crash", report_of(1), i);
  bound_crash_folder(folder_);
  const auto left = names();
  ASSERT_THAT(left, SizeIs(limits::kCrashReportsMax));
  EXPECT_EQ(left.front(), named("5"));
  EXPECT_TRUE(fs::exists(folder_ + "/kept.txt"));
  EXPECT_TRUE(fs::exists(folder_ + "/" + foreign));
}

TEST_F(CrashFolderTest, KeepsNoMoreBytesThanItMay) {
  ASSERT_TRUE(prepare_crash_folder(folder_).ok());
  const std::string large(limits::kCrashFolderBytesMax / 2 + 1, 'x');
  for (int i = 0; i < 3; ++i) write(named(std::to_string(i)) + ".crash", large, i);
  bound_crash_folder(folder_);
  EXPECT_THAT(names(), ElementsAre(named("2")));
}

TEST_F(CrashFolderTest, ReadsOnlyReportsAndOnlyItsOwn) {
  ASSERT_TRUE(prepare_crash_folder(folder_).ok());
  write(named("good") + ".crash", report_of(7));
  write(named("garbage") + ".crash", std::string(100'000, '\xff'));
  write(named("empty") + ".crash", "");
  write(named("cut") + ".crash", report_of(7).substr(0, 30));
  std::ofstream(top_ + "/deep/" + named("outside") + ".crash") << report_of(7);
  EXPECT_TRUE(read_crash(folder_, named("good")).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(read_crash(folder_, named("garbage")).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(read_crash(folder_, named("empty")).status()));
  EXPECT_TRUE(absl::IsDataLoss(read_crash(folder_, named("cut")).status()));
  EXPECT_TRUE(absl::IsNotFound(read_crash(folder_, named("none")).status()));
  EXPECT_TRUE(absl::IsNotFound(read_crash(folder_, named("../outside")).status()));
}

TEST_F(CrashFolderTest, FindsTheReportOfAProcessAndNotOfOneBeforeWithItsNumber) {
  ASSERT_TRUE(prepare_crash_folder(folder_).ok());
  const auto now = system_clock::now();
  write("a-rep-0-20261122T101807.439-17.crash", report_of(17));
  write("a-rep-0-20261122T101807.439-7.crash", report_of(7));
  write("b-rep-0-20261122T101807.439-8.crash", report_of(9));
  write("b-rep-0-20261122T101807.439-10.crash", "garbage");
  ASSERT_TRUE(crash_of(folder_, 7, now - std::chrono::hours(1)));
  EXPECT_EQ(crash_of(folder_, 7, now - std::chrono::hours(1))->process, 7);
  EXPECT_FALSE(crash_of(folder_, 7, now + std::chrono::hours(1)));
  EXPECT_FALSE(crash_of(folder_, 8, now - std::chrono::hours(1)));
  EXPECT_FALSE(crash_of(folder_, 10, now - std::chrono::hours(1)));
  EXPECT_FALSE(crash_of(folder_, 11, now - std::chrono::hours(1)));
}

TEST_F(CrashFolderTest, PassesOverWhatIsNoFileOrALinkToOneWithoutWaitingForIt) {
  ASSERT_TRUE(prepare_crash_folder(folder_).ok());
  std::ofstream(top_ + "/outside") << report_of(7);
  fs::create_symlink(top_ + "/outside", folder_ + "/" + named("link", 7) + ".crash");
  ASSERT_EQ(::mkfifo((folder_ + "/" + named("pipe", 7) + ".crash").c_str(), 0600), 0);
  fs::create_directory(folder_ + "/" + named("folder", 7) + ".crash");
  EXPECT_FALSE(crash_of(folder_, 7, {}));
  for (const char* const process : {"link", "pipe", "folder"}) {
    EXPECT_TRUE(absl::IsNotFound(read_crash(folder_, named(process, 7)).status())) << process;
  }
}

TEST_F(CrashFolderTest, TrustsNoReportOfAnotherUsers) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_TRUE(prepare_crash_folder(folder_).ok());
  const std::string file = named("a", 7) + ".crash";
  write(file, report_of(7));
  ASSERT_TRUE(crash_of(folder_, 7, {}));
  ASSERT_EQ(::chown((folder_ + "/" + file).c_str(), 1, 1), 0);
  EXPECT_FALSE(crash_of(folder_, 7, {}));
  EXPECT_TRUE(read_crash(folder_, named("a", 7)).ok()) << "whoever asks for it by name has it";
}

}  // namespace
}  // namespace flow::host
