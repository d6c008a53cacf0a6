// SPDX-License-Identifier: Apache-2.0
#include "wire/grpc.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::wire {
namespace {

// A length prefix is a claim, not memory: reserve this much at once, grow with what arrives.
constexpr std::uint64_t kReserveMax = 1 << 20;

std::uint32_t read_big_endian(std::string_view four) {
  std::uint32_t value = 0;
  for (char byte : four) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void write_frame_prefix(std::string& framed) {
  const std::size_t size = framed.size() - kFramePrefix;
  framed[0] = 0;
  for (std::size_t i = 0; i < 4; ++i)
    framed[1 + i] = static_cast<char>(size >> (24 - 8 * i) & 0xff);
}

std::string frame(std::string_view payload) {
  std::string framed;
  framed.reserve(kFramePrefix + payload.size());
  framed.append(kFramePrefix, '\0').append(payload);
  write_frame_prefix(framed);
  return framed;
}

absl::StatusOr<bool> MessageReader::take(std::string_view& bytes) {
  if (message_.size() < kFramePrefix) {
    const std::size_t part = std::min(kFramePrefix - message_.size(), bytes.size());
    message_.append(bytes.substr(0, part));
    bytes.remove_prefix(part);
    if (message_.size() < kFramePrefix) return false;
    if (message_[0] != 0 && !(message_[0] == 1 && takes_compressed_)) {
      return core::error(absl::StatusCode::kInternal,
                         message_[0] == 1
                             ? "message is compressed, but grpc-encoding names no compression"
                             : fmt::format("bad message frame: first byte is {}, expected 0 or 1",
                                           static_cast<unsigned char>(message_[0])));
    }
    missing_ = read_big_endian(std::string_view(message_).substr(1, 4));
    if (missing_ > message_max_) {
      return core::error(absl::StatusCode::kResourceExhausted,
                         fmt::format("message of {} bytes is larger than the limit of {} "
                                     "(max_message in [gateway])",
                                     missing_, message_max_));
    }
    message_.reserve(kFramePrefix + std::min(missing_, kReserveMax));
  }
  const std::size_t part =
      static_cast<std::size_t>(std::min<std::uint64_t>(missing_, bytes.size()));
  message_.append(bytes.substr(0, part));
  bytes.remove_prefix(part);
  missing_ -= part;
  return missing_ == 0;
}

std::optional<std::chrono::nanoseconds> parse_timeout(std::string_view value) {
  using namespace std::chrono;
  if (value.size() < 2 || value.size() > 9) return std::nullopt;
  const std::string_view digits = value.substr(0, value.size() - 1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
  if (error != std::errc() || end != digits.end() || number < 0) return std::nullopt;
  switch (value.back()) {
    case 'H':
      // 99999999 hours overflow 64-bit nanoseconds; a year is as good as forever.
      return hours(std::min<std::int64_t>(number, 24 * 365));
    case 'M':
      return minutes(std::min<std::int64_t>(number, 60 * 24 * 365));
    case 'S':
      return seconds(number);
    case 'm':
      return milliseconds(number);
    case 'u':
      return microseconds(number);
    case 'n':
      return nanoseconds(number);
    default:
      return std::nullopt;
  }
}

std::string format_timeout(std::chrono::nanoseconds timeout) {
  using namespace std::chrono;
  constexpr std::int64_t kDigitsMax = 99'999'999;
  const auto text = [](std::int64_t number, char unit) {
    return fmt::format("{}{}", number, unit);
  };
  if (timeout <= nanoseconds(0)) return "1n";
  if (timeout < microseconds(1000)) return text(timeout.count(), 'n');
  if (timeout < milliseconds(1000)) return text(ceil<microseconds>(timeout).count(), 'u');
  const std::int64_t ms = ceil<milliseconds>(timeout).count();
  if (ms <= kDigitsMax) return text(ms, 'm');
  return text(std::min(ceil<seconds>(timeout).count(), kDigitsMax), 'S');
}

std::string encode_message(std::string_view text) {
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string decode_message(std::string_view value) {
  std::string text;
  text.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '%' && i + 2 < value.size()) {
      const int high = hex_digit(value[i + 1]);
      const int low = hex_digit(value[i + 2]);
      if (high >= 0 && low >= 0) {
        text += static_cast<char>(high << 4 | low);
        i += 2;
        continue;
      }
    }
    text += value[i];
  }
  return text;
}

}  // namespace flow::wire
