// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace flow::wire {

// Bytes that were received and are not wanted yet. Taking a few off the front of many is cheap,
// over and over. Confined to its user.
class Backlog {
 public:
  bool empty() const { return bytes_.empty(); }
  std::size_t size() const { return bytes_.size() - taken_; }
  std::string_view view() const { return std::string_view(bytes_).substr(taken_); }

  void append(std::string_view bytes) { bytes_.append(bytes); }
  // Leaves the last `size` bytes.
  void keep_last(std::size_t size) {
    taken_ = bytes_.size() - size;
    if (taken_ <= bytes_.size() / 2) return;
    bytes_.erase(0, taken_);
    taken_ = 0;
  }

 private:
  std::string bytes_;
  std::size_t taken_ = 0;  // of the front; never all
};

}  // namespace flow::wire
