// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace flow::gateway {

// Endpoints that have a path whether an executor serves them or not, with methods of their own: as
// in the reference.
struct CrudPath {
  std::string_view path;
  std::string_view method;
};
inline constexpr std::array<CrudPath, 4> kCrudPaths = {{
    {"/index", "POST"},
    {"/search", "POST"},
    {"/delete", "DELETE"},
    {"/update", "PUT"},
}};

// Paths of our own. An executor's endpoint of such a name is reached by POST /post.
inline constexpr std::array<std::string_view, 9> kOwnPaths = {
    "/", "/docs", "/dry_run", "/livez", "/openapi.json", "/post", "/readyz", "/redoc", "/status"};

// Has an executor's endpoint a path of its own, by POST? Those that begin with an underscore, as
// "_jina_dry_run_" does, are for machines.
inline bool has_own_path(std::string_view endpoint) {
  return endpoint.starts_with('/') && !endpoint.starts_with("/_") &&
         std::ranges::find(kOwnPaths, endpoint) == kOwnPaths.end();
}

}  // namespace flow::gateway
