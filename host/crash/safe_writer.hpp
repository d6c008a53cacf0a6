// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace flow::host {

// Text into a file descriptor, without an allocation, a lock or errno: for signal handlers. What
// cannot be written is lost. Async-signal-safe.
class SafeWriter {
 public:
  // Writes no more than `bytes_max`. Does not own the descriptor.
  SafeWriter(int fd, std::size_t bytes_max) : fd_(fd), left_(bytes_max) {}
  SafeWriter(const SafeWriter&) = delete;
  SafeWriter& operator=(const SafeWriter&) = delete;

  SafeWriter& text(std::string_view text);
  // Of whoever: on one line whatever it has, and if its memory is gone, without it.
  SafeWriter& foreign(std::string_view text);
  SafeWriter& decimal(std::int64_t number);
  SafeWriter& hexadecimal(std::uint64_t number);        // "0x1c"
  SafeWriter& bytes(std::span<const std::byte> bytes);  // "3fa2"
  void flush();

 private:
  void put(char character);

  int fd_;
  std::size_t left_;
  std::array<char, 1024> buffer_;
  std::size_t size_ = 0;
};

// "20261122T101807.439", or with separators "2026-11-22T10:18:07.439Z", of nanoseconds since 1970,
// into `to`, which has room for kUtcTextMax. Async-signal-safe.
inline constexpr std::size_t kUtcTextMax = 32;
enum class UtcForm { Compact, Readable };
std::string_view utc_into(std::int64_t ns, UtcForm form, std::array<char, kUtcTextMax>& to);

}  // namespace flow::host
