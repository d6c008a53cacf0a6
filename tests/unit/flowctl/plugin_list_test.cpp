// SPDX-License-Identifier: Apache-2.0
// What `flowctl plugins` and `describe` say, of plugins that are not files.
#include "flowctl/plugins/plugin_list.hpp"

#include "core/status.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

host::PluginFacts echo() {
  host::PluginFacts facts;
  facts.info.set_id("echo");
  facts.info.set_version("1.2.3");
  facts.info.mutable_abi()->set_major(1);
  facts.info.add_endpoints()->set_path("/default");
  auto* index = facts.info.add_endpoints();
  index->set_path("/index");
  index->set_summary("keeps them");
  index->add_reads("text");
  facts.metadata = R"({"id":"echo"})";
  facts.build_id = "abc123";
  return facts;
}

absl::Status refusal() {
  return core::error(absl::StatusCode::kFailedPrecondition, "/p/bad.so: is empty");
}

TEST(PluginsText, IsATableAndThenWhatIsRefusedAndWhy) {
  const PluginList list = {
      {{"echo", "/p/echo.so", echo(), ""}, {"bad", "/p/bad.so", refusal(), ""}},
      {"/q: No such file or directory"}};
  EXPECT_EQ(plugins_text(list, 0),
            "NAME  VERSION  ABI  ENDPOINTS        FILE\n"
            "echo  1.2.3    1.0  /default /index  /p/echo.so\n"
            "refused /p/bad.so: is empty\n"
            "/q: No such file or directory\n");
  EXPECT_FALSE(list.in_order());
}

TEST(PluginsText, SaysWhichFileIsHiddenByAnother) {
  const PluginList list = {{{"echo", "/q/echo.so", echo(), "/p/echo.so"}}, {}};
  EXPECT_THAT(plugins_text(list, 0), HasSubstr("/q/echo.so (hidden by /p/echo.so)\n"));
  EXPECT_TRUE(list.in_order());
}

TEST(PluginsText, SaysThatThereAreNone) { EXPECT_EQ(plugins_text({}, 0), "no plugins\n"); }

TEST(PluginsJson, HasTheSame) {
  const PluginList list = {
      {{"echo", "/p/echo.so", echo(), ""}, {"bad", "/p/b\"d.so", refusal(), ""}}, {"/q: gone"}};
  EXPECT_EQ(plugins_json(list),
            R"({"plugins":[{"name":"echo","path":"/p/echo.so","id":"echo","version":"1.2.3",)"
            R"("abi":"1.0","endpoints":["/default","/index"],"build_id":"abc123","hidden_by":""}],)"
            R"("refused":[{"name":"bad","path":"/p/b\"d.so","reason":"/p/bad.so: is empty"}],)"
            R"("unreadable":["/q: gone"]})");
}

TEST(DescribeText, SaysEverythingThatThePluginSays) {
  host::PluginFacts facts = echo();
  facts.needed = {"libc.so.6"};
  facts.info.set_summary("Gives back\nwhat it gets");
  facts.info.mutable_needs()->set_gpu(true);
  facts.info.mutable_needs()->set_threads(2);
  facts.info.mutable_batch()->set_max(32);
  auto* size = facts.info.add_config();
  size->set_name("size");
  size->set_type("integer");
  size->set_min(1);
  size->set_max(4096);
  size->mutable_default_()->set_number_value(256);
  size->set_summary("of a vector");
  auto* token = facts.info.add_config();
  token->set_name("token");
  token->set_type("string");
  token->set_required(true);
  token->set_secret(true);
  EXPECT_EQ(describe_text("/p/echo.so", facts),
            "id         echo\n"
            "version    1.2.3\n"
            "summary    Gives back\\nwhat it gets\n"
            "abi        1.0 (runs on hosts from 1.0)\n"
            "file       /p/echo.so\n"
            "build id   abc123\n"
            "libraries  libc.so.6\n"
            "batch      at most 32\n"
            "needs      a GPU, 2 threads\n"
            "\n"
            "ENDPOINT  WHAT IT DOES\n"
            "/default\n"
            "/index    keeps them; reads text\n"
            "\n"
            "USES_WITH  VALUE                            MEANING\n"
            "size       integer, 1 to 4096, default 256  of a vector\n"
            "token      string, required, secret\n");
}

TEST(DescribeJson, HasTheMetadataAsItStandsInTheFile) {
  EXPECT_EQ(describe_json("/p/echo.so", echo()),
            R"({"path":"/p/echo.so","build_id":"abc123","libraries":[],"metadata":{"id":"echo"}})");
}

}  // namespace
}  // namespace flow::ctl
