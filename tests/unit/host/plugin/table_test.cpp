// SPDX-License-Identifier: Apache-2.0
//
// A table that is not fit to be called is refused before it is.
#include <gmock/gmock.h>

#include "host/plugin/library.hpp"
#include "host/plugin/plugin_info.hpp"

namespace flow::host {
namespace {

using testing::HasSubstr;

constexpr auto kMetadata = R"({"abi": {"major": 1, "minor": 0}, "id": "x"})";

flow_plugin good_table() {
  flow_plugin table{};
  table.size = sizeof table;
  table.abi_minor = 0;
  table.metadata = kMetadata;
  table.create = [](const flow_host*, const flow_value*, flow_executor**) noexcept {
    return flow_status{FLOW_OK};
  };
  table.destroy = [](flow_executor*) noexcept {};
  table.process = [](flow_executor*, const flow_request*, flow_call*) noexcept {
    return flow_status{FLOW_OK};
  };
  return table;
}

std::string error_of(const flow_plugin& table) {
  return std::string(check_table(table, *parse_plugin_info(kMetadata)).message());
}

TEST(PluginTable, IsAcceptedIfNothingIsWrong) { EXPECT_EQ(error_of(good_table()), ""); }

TEST(PluginTable, MayEndAfterWhatIsRequired) {
  auto table = good_table();
  table.size = offsetof(flow_plugin, cancel);
  EXPECT_EQ(error_of(table), "");
}

TEST(PluginTable, IsRefusedIfItIsTooShort) {
  auto table = good_table();
  table.size = offsetof(flow_plugin, process);
  EXPECT_THAT(error_of(table), HasSubstr("at least 48 are needed (rule A4)"));
}

TEST(PluginTable, IsRefusedIfARequiredFunctionIsMissing) {
  auto create = good_table(), destroy = good_table(), process = good_table();
  create.create = nullptr;
  destroy.destroy = nullptr;
  process.process = nullptr;
  EXPECT_THAT(error_of(create), HasSubstr("lacks create"));
  EXPECT_THAT(error_of(destroy), HasSubstr("lacks destroy"));
  EXPECT_THAT(error_of(process), HasSubstr("lacks process"));
}

TEST(PluginTable, IsRefusedIfItsFlagsContradictEachOther) {
  auto table = good_table();
  table.flags = FLOW_CONCURRENT | FLOW_AFFINE;
  EXPECT_THAT(error_of(table), HasSubstr("contradict each other"));
}

TEST(PluginTable, IsRefusedIfAnEndpointStreamsAndItsFlagsSayThatNoneDoes) {
  constexpr auto kStreams =
      R"({"abi": {"major": 1}, "id": "x", "endpoints": [{"path": "/a", "streams": true}]})";
  auto table = good_table();
  table.metadata = kStreams;
  const auto check = [&] {
    return std::string(check_table(table, *parse_plugin_info(kStreams)).message());
  };
  EXPECT_THAT(check(), HasSubstr("endpoint \"/a\" streams according to its metadata, but its "
                                 "flags lack FLOW_STREAMS"));
  table.flags = FLOW_STREAMS;
  EXPECT_EQ(check(), "");
}

TEST(PluginTable, IsRefusedIfItIsNotWhatTheNoteSaid) {
  auto minor = good_table(), none = good_table(), other = good_table();
  minor.abi_minor = 1;
  none.metadata = nullptr;
  other.metadata = R"({"abi": {"major": 1, "minor": 0}, "id": "y"})";
  EXPECT_THAT(error_of(minor), HasSubstr("says ABI minor 1, its note 0"));
  EXPECT_THAT(error_of(none), HasSubstr("has no metadata"));
  EXPECT_THAT(error_of(other), HasSubstr("not that of its note"));
}

}  // namespace
}  // namespace flow::host
