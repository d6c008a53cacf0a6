// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// gRPC over HTTP/2, the part that is bytes:
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
namespace flow::wire {

// Messages travel through the gateway *framed*: gRPC's 5-byte prefix, then the payload, in one
// string. What is forwarded unchanged is then never copied.
constexpr std::size_t kFramePrefix = 5;

inline std::string_view payload(std::string_view framed) { return framed.substr(kFramePrefix); }

// Writes the prefix of an uncompressed message into the first five bytes, which must exist.
void write_frame_prefix(std::string& framed);
// A framed copy of a payload.
std::string frame(std::string_view payload);

// Cuts a stream of bytes into framed messages. An error ends the stream; it is the caller's status.
// Confined to its loop.
class MessageReader {
 public:
  explicit MessageReader(std::uint64_t message_max) : message_max_(message_max) {}

  // Before the first bytes: messages may be compressed (see compression.hpp). They are given as
  // they come.
  void take_compressed() { takes_compressed_ = true; }

  // Takes bytes off the front, up to the end of a message: which is given once it is complete.
  absl::StatusOr<std::optional<std::string>> next(std::string_view& bytes) {
    absl::StatusOr<bool> complete = take(bytes);
    if (!complete.ok()) return complete.status();
    return *complete ? std::optional(std::exchange(message_, std::string())) : std::nullopt;
  }

  // Appends bytes; complete messages are handed to `sink(std::string framed)`.
  template <typename Sink>
  absl::Status feed(std::string_view bytes, Sink&& sink) {
    while (!bytes.empty()) {
      absl::StatusOr<std::optional<std::string>> message = next(bytes);
      if (!message.ok()) return message.status();
      if (*message) sink(*std::move(*message));
    }
    return absl::OkStatus();
  }

  // True between two messages: where a stream may end.
  bool at_boundary() const { return message_.empty(); }
  std::size_t buffered() const { return message_.size(); }

 private:
  // Moves bytes from the front of `bytes` into message_; true when it is complete.
  absl::StatusOr<bool> take(std::string_view& bytes);

  std::uint64_t message_max_;
  bool takes_compressed_ = false;
  std::uint64_t missing_ = 0;  // payload bytes still to come, valid once the prefix is there
  std::string message_;
};

// The value of a grpc-timeout header ("250m", "1S"); nullopt if it is none.
std::optional<std::chrono::nanoseconds> parse_timeout(std::string_view value);
// At most eight digits, rounded up to the coarsest unit that keeps a thousandth: never 0.
std::string format_timeout(std::chrono::nanoseconds timeout);

// The percent-encoding of grpc-message.
std::string encode_message(std::string_view text);
std::string decode_message(std::string_view value);

}  // namespace flow::wire
