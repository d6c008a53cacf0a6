// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/panel.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "core/net_address.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::host {
namespace {

struct Glyph {
  std::size_t bytes = 0;
  std::size_t columns = 0;
};

Glyph first_glyph(std::string_view text) {
  utf8proc_int32_t code_point = -1;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const utf8proc_ssize_t length =
      utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size()), &code_point);
  if (length <= 0) return {1, 1};  // not UTF-8: terminals show one replacement character
  return {static_cast<std::size_t>(length),
          static_cast<std::size_t>(std::max(0, utf8proc_charwidth(code_point)))};
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

std::string right_aligned(std::string_view text, std::size_t columns) {
  const std::size_t width = display_width(text);
  return std::string(columns > width ? columns - width : 0, ' ').append(text);
}

std::string cut(std::string_view text, std::size_t columns) {
  std::size_t bytes = 0;
  std::size_t width = 0;
  while (bytes < text.size()) {
    const Glyph glyph = first_glyph(text.substr(bytes));
    if (width + glyph.columns > columns) break;
    bytes += glyph.bytes;
    width += glyph.columns;
  }
  return std::string(text.substr(0, bytes));
}

bool is_any_interface(std::string_view host) {
  return host.empty() || host == "0.0.0.0" || host == "::";
}

struct Row {
  std::string icon;
  std::string label;
  std::string value;
};

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Glyph glyph = first_glyph(text);
    width += glyph.columns;
    text.remove_prefix(glyph.bytes);
  }
  return width;
}

std::string protocols_text(const core::GatewayConfig& gateway) {
  std::vector<std::string_view> spoken;
  if (gateway.protocols.grpc) spoken.push_back("GRPC");
  if (gateway.protocols.http) spoken.push_back("HTTP");
  if (gateway.protocols.websocket) spoken.push_back("WEBSOCKET");
  return fmt::format("{}{}", fmt::join(spoken, " · "), gateway.tls ? " (TLS)" : "");
}

std::string ready_panel(const std::string& protocols, const std::string& gateway_address,
                        const std::string& private_ip) {
  constexpr std::string_view kTitle = " 🎉 Flow is ready to serve! ";
  std::vector<Row> rows = {{"🔗", "Protocol", protocols}, {"🏠", "Local", gateway_address}};
  const auto address = core::parse_address(gateway_address);
  if (address.ok() && is_any_interface(address->host) && !private_ip.empty()) {
    rows.push_back({"🔒", "Private", core::format_address({private_ip, address->port, {}})});
  }

  std::size_t label_width = 0;
  std::size_t value_width = 0;
  for (const Row& row : rows) {
    label_width = std::max(label_width, display_width(row.label));
    value_width = std::max(value_width, display_width(row.value));
  }
  std::vector<std::string> lines;
  std::size_t inside = display_width(kTitle) + 2;
  for (const Row& row : rows) {
    lines.push_back(fmt::format("  {}  {}    {}    ", row.icon,
                                right_aligned(row.label, label_width),
                                right_aligned(row.value, value_width)));
    inside = std::max(inside, display_width(lines.back()));
  }

  const std::size_t rule = inside - display_width(kTitle);
  std::string panel =
      fmt::format("╭{}{}{}╮\n", repeated("─", rule / 2), kTitle, repeated("─", rule - rule / 2));
  for (const std::string& line : lines) {
    panel += fmt::format("│{}{}│\n", line, repeated(" ", inside - display_width(line)));
  }
  panel += fmt::format("╰{}╯\n", repeated("─", inside));
  return panel;
}

std::string deployments_line(std::size_t deployments, std::size_t pods) {
  return fmt::format("{} Deployments (i.e. {} Pods) are running in this Flow ", deployments, pods);
}

std::string progress_line(std::size_t frame, const std::vector<std::string>& waiting_for,
                          std::size_t total, std::chrono::seconds elapsed, std::size_t columns) {
  constexpr std::array<std::string_view, 10> kFrames = {"⠋", "⠙", "⠹", "⠸", "⠼",
                                                        "⠴", "⠦", "⠧", "⠇", "⠏"};
  const auto seconds = elapsed.count();
  const std::string tail =
      fmt::format(" {}/{} {}:{:02}:{:02}", total - std::min(total, waiting_for.size()), total,
                  seconds / 3600, seconds / 60 % 60, seconds % 60);
  const std::string head =
      fmt::format("{} Waiting {}", kFrames[frame % kFrames.size()], fmt::join(waiting_for, " "));
  // The names give way, the numbers stay.
  const std::size_t room = columns > tail.size() ? columns - tail.size() : 0;
  return cut(cut(head, room) + tail, columns);
}

}  // namespace flow::host
