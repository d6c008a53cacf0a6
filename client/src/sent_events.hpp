// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace flow::client {

// One event of a stream of server-sent events: https://html.spec.whatwg.org/#server-sent-events
struct SentEvent {
  std::string name;
  std::string data;
};

// Cuts bytes into events. Confined to its user.
class SentEventReader {
 public:
  void feed(std::string_view bytes) {
    rest_.erase(0, std::exchange(read_, 0));
    rest_ += bytes;
  }

  // The next complete event.
  std::optional<SentEvent> next() {
    while (true) {
      const std::size_t end = rest_.find('\n', read_);
      if (end == std::string::npos) return std::nullopt;
      std::string_view line = std::string_view(rest_).substr(read_, end - read_);
      read_ = end + 1;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!line.empty()) {
        take(line);
        continue;
      }
      SentEvent event = std::exchange(event_, {});
      if (!event.name.empty() || !event.data.empty()) return event;
    }
  }

  // Bytes of the event that is not complete yet.
  std::size_t held() const { return rest_.size() - read_ + event_.data.size(); }

 private:
  void take(std::string_view line) {
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view field = line.substr(0, colon);
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "event") event_.name = value;
    if (field != "data") return;
    if (!event_.data.empty()) event_.data += '\n';
    event_.data += value;
  }

  std::string rest_;
  std::size_t read_ = 0;  // of rest_
  SentEvent event_;
};

}  // namespace flow::client
