// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "core/text.hpp"
#include "fmt/format.h"
#include "gateway/front/service.hpp"

namespace flow::gateway {

// An answer that is only words, in FastAPI's form: {"detail":"Not Found"}.
inline HttpResponse http_detail(int status, std::string_view words) {
  return {.status = status, .body = fmt::format(R"({{"detail":"{}"}})", core::escape_json(words))};
}

// Past the budget of bytes that the gateway holds for everybody.
inline HttpResponse http_no_room() {
  HttpResponse response = http_detail(503, "The gateway holds as many bytes as it may; try again");
  response.headers = {{"retry-after", "1"}};
  return response;
}

}  // namespace flow::gateway
