// SPDX-License-Identifier: Apache-2.0
#include "host/crash/safe_writer.hpp"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>

#include "host/stack/machine_context.hpp"

namespace flow::host {
namespace {

constexpr std::size_t kPage = 4096;  // the smallest there is

bool all_readable(std::string_view text) {
  const auto begin = reinterpret_cast<std::uintptr_t>(text.data());
  for (std::uintptr_t at = begin; at < begin + text.size(); at = (at / kPage + 1) * kPage) {
    // The word that has the byte: an address near the end of a page has none of its own.
    if (!is_readable(at & ~(sizeof(std::uintptr_t) - 1))) return false;
  }
  return true;
}

}  // namespace

SafeWriter& SafeWriter::text(std::string_view text) {
  for (const char character : text) put(character);
  return *this;
}

SafeWriter& SafeWriter::foreign(std::string_view text) {
  if (!all_readable(text)) return this->text("?");
  for (const char character : text) {
    const bool is_control = static_cast<unsigned char>(character) < 0x20 || character == 0x7f;
    put(is_control ? '?' : character);
  }
  return *this;
}

SafeWriter& SafeWriter::decimal(std::int64_t number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  return text({digits.begin(), end});
}

SafeWriter& SafeWriter::hexadecimal(std::uint64_t number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number, 16).ptr;
  return text("0x").text({digits.begin(), end});
}

SafeWriter& SafeWriter::bytes(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const std::byte byte : bytes) {
    put(kDigits[std::to_integer<std::size_t>(byte) >> 4]);
    put(kDigits[std::to_integer<std::size_t>(byte) & 0xf]);
  }
  return *this;
}

void SafeWriter::put(char character) {
  if (left_ == 0) return;
  --left_;
  buffer_[size_++] = character;
  if (size_ == buffer_.size()) flush();
}

void SafeWriter::flush() {
  const int before = errno;
  std::size_t written = 0;
  while (written < size_) {
    const ssize_t count = ::write(fd_, buffer_.data() + written, size_ - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  size_ = 0;
  errno = before;
}

std::string_view utc_into(std::int64_t ns, UtcForm form, std::array<char, kUtcTextMax>& to) {
  using namespace std::chrono;
  const sys_time<nanoseconds> time{nanoseconds(ns)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<milliseconds>(time - day));
  std::size_t size = 0;
  const auto put = [&](char character) { to[size++] = character; };
  const auto separate = [&](char character) {
    if (form == UtcForm::Readable) put(character);
  };
  const auto digits = [&](std::int64_t number, int count) {
    for (int i = count - 1; i >= 0; --i, number /= 10) {
      to[size + static_cast<std::size_t>(i)] = static_cast<char>('0' + number % 10);
    }
    size += static_cast<std::size_t>(count);
  };
  digits(static_cast<int>(date.year()), 4);
  separate('-');
  digits(static_cast<unsigned>(date.month()), 2);
  separate('-');
  digits(static_cast<unsigned>(date.day()), 2);
  put('T');
  digits(clock.hours().count(), 2);
  separate(':');
  digits(clock.minutes().count(), 2);
  separate(':');
  digits(clock.seconds().count(), 2);
  put('.');
  digits(clock.subseconds().count(), 3);
  separate('Z');
  return {to.data(), size};
}

}  // namespace flow::host
