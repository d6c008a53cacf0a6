// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "gateway/front/service.hpp"

// The client's end of one HTTP exchange, for routes under test.
namespace flow::gateway {

class FakeExchange final : public HttpExchange {
 public:
  void respond(HttpResponse response) override {
    ++answers;
    answer = std::move(response);
  }
  void start(HttpResponse head) override { respond(std::move(head)); }
  void send(std::string piece) override { answer.body += piece; }
  void end() override { ended = true; }
  std::size_t unsent() const override { return 0; }

  int answers = 0;
  bool ended = false;
  HttpResponse answer;
};

// "" if it is not there.
inline std::string header_of(const HttpResponse& response, std::string_view name) {
  const auto found =
      std::ranges::find(response.headers, name, &std::pair<std::string_view, std::string>::first);
  return found == response.headers.end() ? "" : found->second;
}

}  // namespace flow::gateway
