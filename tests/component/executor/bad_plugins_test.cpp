// SPDX-License-Identifier: Apache-2.0
//
// What somebody reads whose plugin is refused: for each way of being bad, its own words.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/config.hpp"
#include "host/plugin/discovery.hpp"
#include "host/plugin/inspect.hpp"
#include "host/plugin/library.hpp"
#include "host/plugin/resolve.hpp"

namespace flow::host {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

std::string plugin(const std::string& name) {
  return std::string(FLOW_TEST_PLUGINS) + "/" + name + ".so";
}
std::string refusal(const std::string& path) {
  const auto facts = inspect_plugin(path);
  return facts.ok() ? "" : std::string(facts.status().message());
}

class Folder : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::temp_directory_path() / ("flow-plugins-" + std::to_string(::getpid()));
    fs::create_directories(path_ / "a");
    fs::create_directories(path_ / "b");
  }
  void TearDown() override { fs::remove_all(path_); }
  std::string file(const std::string& name, std::string_view content = "x") {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }
  fs::path path_;
};

TEST(BadPlugins, AreRefusedEachInItsOwnWords) {
  EXPECT_THAT(refusal(plugin("wrong-major")),
              AllOf(HasSubstr("plugin \"wrong-major\" was built for ABI "),
                    HasSubstr("this host offers 1.0: rebuild it or update flow-host")));
  EXPECT_THAT(refusal(plugin("newer-minor")), HasSubstr("this host offers 1.0"));
  EXPECT_THAT(refusal(plugin("no-note")), HasSubstr("has no flow note, so it is not a plugin"));
  EXPECT_THAT(refusal(plugin("not-a-plugin")), HasSubstr("has no flow note"));
  EXPECT_THAT(refusal(plugin("bad-note")), HasSubstr("its metadata cannot be read"));
  EXPECT_THAT(refusal(plugin("no-symbol")), HasSubstr("does not export flow_plugin_v1 (rule A2)"));
  EXPECT_THAT(refusal(plugin("exports-more")),
              HasSubstr("symbols (flow_plugin_helper, flow_plugin_v1"));
  EXPECT_THAT(refusal(plugin("links-protobuf")),
              AllOf(HasSubstr("links libprotobuf"), HasSubstr("abort the process")));
}

TEST_F(Folder, HoldsFilesThatAreNoPlugins) {
  EXPECT_THAT(refusal(path_ / "absent.so"), HasSubstr("absent.so: cannot be opened"));
  EXPECT_THAT(refusal(path_ / "a"), HasSubstr("is a folder"));
  EXPECT_THAT(refusal(file("empty.so", "")), HasSubstr("is empty"));
  EXPECT_THAT(refusal(file("text.so", "#!/bin/sh\n")), HasSubstr("not an ELF file"));

  std::ifstream good(plugin("upper"), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(good)), {});
  EXPECT_THAT(refusal(file("cut.so", bytes.substr(0, bytes.size() / 2))),
              HasSubstr("does not fit into"));
}

TEST_F(Folder, IsSearchedInOrderAndByBothNames) {
  const auto a = file("a/libx.so"), b = file("b/x.so"), other = file("b/encoder.so");
  const std::vector<std::string> folders = {path_ / "a", path_ / "b", path_ / "absent"};

  EXPECT_EQ(find_plugin("x", folders).value(), a);
  EXPECT_EQ(find_plugin("encoder", folders).value(), other);
  EXPECT_EQ(find_plugin(b, folders).value(), b);
  EXPECT_THAT(
      std::string(find_plugin("encodr", folders).status().message()),
      AllOf(HasSubstr("no plugin \"encodr\" (did you mean \"encoder\"?)"), HasSubstr("/a (x)"),
            HasSubstr("/b (encoder, x)"), HasSubstr("/absent (No such file")));
}

core::FlowConfig config_of(std::string_view executors) {
  auto config = core::parse_config(executors, "/tmp/flow.toml", core::process_environment());
  EXPECT_TRUE(config.ok()) << config.status();
  config->plugins = {FLOW_TEST_PLUGINS, FLOW_PLUGINS};
  return *config;
}

TEST(Resolve, GivesEachExecutorItsPluginAndItsCompletedConfiguration) {
  const auto resolved = resolve_plugins(config_of(R"(
[[executors]]
name = "one"
uses = "echo"
[[executors]]
name = "two"
uses = "configured"
uses_with = {name = "n", count = 7}
)"));

  ASSERT_TRUE(resolved.ok()) << resolved.status();
  ASSERT_EQ(resolved->size(), 2U);
  EXPECT_EQ((*resolved)[0].info.id(), "echo");
  EXPECT_EQ((*resolved)[0].path, std::string(FLOW_PLUGINS) + "/echo.so");
  EXPECT_EQ((*resolved)[0].build_id.size(), 40U);
  EXPECT_EQ((*resolved)[1].config.fields().at("count").number_value(), 7);
  EXPECT_EQ((*resolved)[1].config.fields().at("mode").string_value(), "fast");
}

TEST(Resolve, ShowsWhatIsWrongWithAllExecutorsAndWhere) {
  const auto resolved = resolve_plugins(config_of(R"(
[[executors]]
name = "one"
uses = "ecko"
[[executors]]
name = "two"
uses = "configured"
uses_with = {count = 70}
[[executors]]
name = "three"
uses = "wrong-major"
)"));

  ASSERT_FALSE(resolved.ok());
  const std::string text(resolved.status().message());
  EXPECT_THAT(text, HasSubstr("flow.toml:4:"));
  EXPECT_THAT(text, HasSubstr("executor \"one\": no plugin \"ecko\" (did you mean \"echo\"?)"));
  EXPECT_THAT(text, HasSubstr("flow.toml:8:"));
  EXPECT_THAT(text, HasSubstr("uses_with.count must be at most 10"));
  EXPECT_THAT(text, HasSubstr("uses_with.name is missing"));
  EXPECT_THAT(text, HasSubstr("flow.toml:11:"));
  EXPECT_THAT(text, HasSubstr("was built for ABI"));
}

TEST(Library, IsLoadedAndKept) {
  const auto facts = inspect_plugin(plugin("upper"));
  ASSERT_TRUE(facts.ok()) << facts.status();

  const auto first = load_plugin(plugin("upper"), facts->info);
  const auto second = load_plugin(plugin("upper"), facts->info);

  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(*first, *second);
}

TEST(Library, SaysWhyItCannotBeLoaded) {
  const auto table = load_plugin("/absent/x.so", {});
  EXPECT_THAT(std::string(table.status().message()),
              AllOf(HasSubstr("/absent/x.so: cannot be loaded"), HasSubstr("No such file")));
}

}  // namespace
}  // namespace flow::host
