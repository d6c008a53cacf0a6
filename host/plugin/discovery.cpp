// SPDX-License-Identifier: Apache-2.0
#include "host/plugin/discovery.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::host {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".so";
constexpr std::string_view kPrefix = "lib";

absl::Status not_found(const std::string& uses, const std::vector<std::string>& folders) {
  std::vector<std::string> known;
  std::vector<std::string> places;
  for (const auto& folder : folders) {
    const auto files = plugin_files(folder);
    if (!files.ok()) {
      places.push_back(fmt::format("{} ({})", folder, core::message(files.status())));
      continue;
    }
    std::vector<std::string> names;
    for (const PluginFile& file : *files) names.push_back(file.name);
    places.push_back(
        fmt::format("{} ({})", folder,
                    names.empty() ? "no plugins" : fmt::format("{}", fmt::join(names, ", "))));
    known.insert(known.end(), names.begin(), names.end());
  }
  return core::error(
      absl::StatusCode::kNotFound,
      fmt::format("no plugin \"{}\"{}; looked for {}.so and lib{}.so in {}", uses,
                  core::suggestion(uses, known), uses, uses,
                  places.empty() ? "no folder" : fmt::format("{}", fmt::join(places, ", "))));
}

}  // namespace

absl::StatusOr<std::vector<PluginFile>> plugin_files(const std::string& folder) {
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  std::vector<PluginFile> files;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    auto name = entry->path().filename().string();
    if (!name.ends_with(kSuffix)) continue;
    name.resize(name.size() - kSuffix.size());
    if (name.starts_with(kPrefix)) name.erase(0, kPrefix.size());
    files.push_back({std::move(name), entry->path().string()});
  }
  if (error) return core::error(absl::StatusCode::kNotFound, error.message());
  // find_plugin prefers NAME.so to libNAME.so, and so is the order here.
  std::sort(files.begin(), files.end(), [](const PluginFile& a, const PluginFile& b) {
    return std::pair(a.name, a.path.size()) < std::pair(b.name, b.path.size());
  });
  return files;
}

absl::StatusOr<std::string> find_plugin(const std::string& uses,
                                        const std::vector<std::string>& folders) {
  if (uses.find('/') != uses.npos) return fs::absolute(uses).lexically_normal().string();
  for (const auto& folder : folders) {
    for (const auto prefix : {std::string_view(), kPrefix}) {
      const auto path = fs::path(folder) / fmt::format("{}{}{}", prefix, uses, kSuffix);
      std::error_code ignored;
      if (fs::exists(path, ignored)) return fs::absolute(path).lexically_normal().string();
    }
  }
  return not_found(uses, folders);
}

}  // namespace flow::host
