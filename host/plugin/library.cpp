// SPDX-License-Identifier: Apache-2.0
#include "host/plugin/library.hpp"

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>
#include <cstddef>
#include <exception>
#include <string_view>
#include <vector>

#include "core/status.hpp"
#include "fmt/format.h"
#include "google/protobuf/util/message_differencer.h"
#include "host/plugin/plugin_info.hpp"

namespace flow::host {
namespace {

constexpr auto kSymbol = "flow_plugin_v1";

absl::Status refused(std::string_view text) {
  return core::error(absl::StatusCode::kFailedPrecondition, text);
}

// The one place that knows Boost.DLL. `lazy` is its default, hence rtld_now: a missing symbol shall
// show here and not in the middle of a request.
absl::StatusOr<const flow_plugin*> open_table(const std::string& path) {
  try {
    namespace dll = boost::dll;
    // Kept for the life of the process: a destructor would unload. Only main() loads, before any
    // thread exists.
    static auto& loaded = *new std::vector<dll::shared_library>;
    loaded.emplace_back(path, dll::load_mode::rtld_now | dll::load_mode::rtld_local);
    return &loaded.back().get<const flow_plugin>(kSymbol);
  } catch (const std::exception& error) {
    return refused(fmt::format("cannot be loaded: {}", error.what()));
  }
}

}  // namespace

absl::Status check_table(const flow_plugin& table, const flow::v1::PluginInfo& info) {
  constexpr auto kSizeMin = offsetof(flow_plugin, process) + sizeof(table.process);
  if (table.size < kSizeMin) {
    return refused(fmt::format("its table has {} bytes, at least {} are needed (rule A4)",
                               table.size, kSizeMin));
  }
  if (table.abi_minor != info.abi().minor()) {
    return refused(fmt::format("its table says ABI minor {}, its note {}", table.abi_minor,
                               info.abi().minor()));
  }
  if (table.create == nullptr || table.destroy == nullptr || table.process == nullptr) {
    return refused(fmt::format("its table lacks {}, which is required",
                               table.create == nullptr    ? "create"
                               : table.destroy == nullptr ? "destroy"
                                                          : "process"));
  }
  if ((table.flags & FLOW_CONCURRENT) != 0 && (table.flags & FLOW_AFFINE) != 0) {
    return refused(
        "its flags FLOW_CONCURRENT (several threads) and FLOW_AFFINE (one thread) contradict each "
        "other");
  }
  for (const auto& endpoint : info.endpoints()) {
    if (!endpoint.streams() || (table.flags & FLOW_STREAMS) != 0) continue;
    return refused(
        fmt::format("its endpoint \"{}\" streams according to its metadata, but its flags lack "
                    "FLOW_STREAMS: add the flag, or take \"streams\" out",
                    endpoint.path()));
  }
  if (table.metadata == nullptr) return refused("its table has no metadata");
  const auto told = parse_plugin_info(table.metadata);
  if (!told.ok() || !google::protobuf::util::MessageDifferencer::Equals(*told, info)) {
    return refused("the metadata of its table is not that of its note");
  }
  return absl::OkStatus();
}

absl::StatusOr<const flow_plugin*> load_plugin(const std::string& path,
                                               const flow::v1::PluginInfo& info) {
  auto table = open_table(path);
  if (!table.ok()) return core::with_context(table.status(), path);
  if (auto status = check_table(**table, info); !status.ok()) {
    return core::with_context(status, path);
  }
  return table;
}

}  // namespace flow::host
