// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/http_pages.hpp"

#include <cstdint>
#include <utility>

#include "fmt/format.h"

namespace flow::gateway {

HttpResponse unless_known(HttpResponse page, std::string_view tag, const HeaderFields& headers) {
  // A list of quoted tags, each perhaps weak, or "*": that it is in there is all that counts.
  const std::string_view known = headers.get("if-none-match");
  if (known == "*" || known.find(tag) != std::string_view::npos) {
    page.status = 304;
    page.body.clear();
    page.content_type = {};
  }
  page.headers.emplace_back("etag", tag);
  return page;
}

// FNV-1a: the same on every gateway that serves the same. Nobody gains by a collision.
std::string content_tag(std::string_view content) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : content) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return fmt::format("\"{:016x}\"", hash);
}

}  // namespace flow::gateway
