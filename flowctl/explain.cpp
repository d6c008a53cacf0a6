// SPDX-License-Identifier: Apache-2.0
#include "flowctl/explain.hpp"

#include "absl/status/status.h"
#include "core/status.hpp"
#include "flow/address.hpp"
#include "fmt/format.h"

namespace flow::ctl {
namespace {

std::string_view protocol_of(std::string_view url) {
  const auto address = parse_url(url);
  if (!address.ok()) return "";
  switch (address->protocol) {
    case Protocol::Grpc:
      return "grpc ";
    case Protocol::Http:
      return "http ";
    case Protocol::WebSocket:
      return "websocket ";
  }
  return "";
}

std::string without_line_break(std::string_view text) {
  return std::string(text.substr(0, text.find_last_not_of('\n') + 1));
}

}  // namespace

Message explain(const CheckResult& check, std::string_view who) {
  if (check.status.ok()) {
    Message message{"error", fmt::format("the {} is not ready:", who)};
    if (!check.description.empty()) message.details.push_back(check.description);
    for (const std::string& stack : check.stacks) {
      message.details.push_back(without_line_break(stack));
    }
    return message;
  }
  Message message{
      "error", fmt::format("Error while getting response from {}server:", protocol_of(check.url))};
  message.details = {
      fmt::format("status = {}", absl::StatusCodeToString(check.status.code())),
      fmt::format("details = \"{}\"", core::message(check.status)),
  };
  return message;
}

}  // namespace flow::ctl
