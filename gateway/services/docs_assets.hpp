// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace flow::gateway {

// A file of Swagger UI that is built into the gateway (gateway/docs/CMakeLists.txt). Views of
// static storage.
struct DocsAsset {
  std::string_view name;
  std::string_view content_type;
  std::string_view plain;
  std::string_view gzip;
};

// Empty if it is not built in (FLOW_DOCS_PAGE=OFF).
std::span<const DocsAsset> docs_assets();
// Of Swagger UI; empty without it.
std::string_view docs_assets_version();

}  // namespace flow::gateway
