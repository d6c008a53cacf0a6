// SPDX-License-Identifier: Apache-2.0
#include "wire/compression.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::wire {

namespace limits = core::limits;

namespace {

// zlib's window bits: 15 is its largest window, 16 more say gzip.
int window_bits(Encoding encoding) { return encoding == Encoding::Gzip ? 15 + 16 : 15; }

// zlib takes what it only reads as a pointer to what it may write.
Bytef* bytes(std::string_view text) {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
}

}  // namespace

std::string_view name(Encoding encoding) {
  switch (encoding) {
    case Encoding::Deflate:
      return "deflate";
    case Encoding::Gzip:
      return "gzip";
    default:
      return "identity";
  }
}

std::optional<Encoding> parse_encoding(std::string_view text) {
  for (const Encoding encoding : {Encoding::Identity, Encoding::Deflate, Encoding::Gzip}) {
    if (text == name(encoding)) return encoding;
  }
  return std::nullopt;
}

bool accepts(std::string_view accept_encoding, Encoding encoding) {
  while (!accept_encoding.empty()) {
    std::string_view item = accept_encoding.substr(0, accept_encoding.find(','));
    accept_encoding.remove_prefix(std::min(accept_encoding.size(), item.size() + 1));
    item.remove_prefix(std::min(item.size(), item.find_first_not_of(' ')));
    item = item.substr(0, item.find_last_not_of(' ') + 1);
    if (item == name(encoding)) return true;
  }
  return false;
}

Inflater::Inflater(Encoding encoding, std::string framed, std::uint64_t payload_max)
    : in_(std::move(framed)),
      payload_max_(payload_max),
      out_(kFramePrefix, '\0'),
      stream_(std::make_unique<z_stream_s>()) {
  // The length prefix has 32 bits, and so has zlib.
  stream_->next_in = bytes(payload(in_));
  stream_->avail_in = static_cast<uInt>(payload(in_).size());
  if (inflateInit2(stream_.get(), window_bits(encoding)) != Z_OK) std::abort();  // out of memory
}

Inflater::~Inflater() { inflateEnd(stream_.get()); }

absl::StatusOr<bool> Inflater::step(std::size_t slice) {
  const std::size_t before = out_.size();
  // One byte beyond the limit is enough to know that there is more.
  const std::uint64_t room = payload_max_ + kFramePrefix + 1 - before;
  out_.resize(before + static_cast<std::size_t>(std::min<std::uint64_t>(slice, room)));
  stream_->next_out = reinterpret_cast<Bytef*>(out_.data()) + before;
  stream_->avail_out = static_cast<uInt>(out_.size() - before);
  const int result = inflate(stream_.get(), Z_NO_FLUSH);
  const bool full = stream_->avail_out == 0;
  out_.resize(out_.size() - stream_->avail_out);

  if (out_.size() - kFramePrefix > payload_max_) {
    return core::error(
        absl::StatusCode::kResourceExhausted,
        fmt::format("compressed message of {} bytes inflates to more than the limit of {} "
                    "(max_message in [gateway])",
                    in_.size() - kFramePrefix, payload_max_));
  }
  if (result == Z_STREAM_END) {
    if (stream_->avail_in == 0) return true;
    return core::error(
        absl::StatusCode::kInternal,
        fmt::format("compressed message ends {} bytes before its frame does", stream_->avail_in));
  }
  if (result == Z_OK && full) return false;
  const std::string_view why = result == Z_NEED_DICT     ? "it needs a dictionary"
                               : stream_->msg != nullptr ? stream_->msg
                                                         : "it is cut off";
  return core::error(absl::StatusCode::kInternal,
                     fmt::format("message cannot be inflated: {}", why));
}

std::string Inflater::take() {
  write_frame_prefix(out_);
  return std::move(out_);
}

std::string compress(std::string framed, Encoding encoding) {
  const std::string_view plain = payload(framed);
  if (plain.size() < limits::kCompressMin || plain.size() > limits::kCompressMax) return framed;
  z_stream stream = {};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, window_bits(encoding), MAX_MEM_LEVEL - 1,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return framed;
  }
  std::string compressed(framed.size() - 1, '\0');
  stream.next_in = bytes(plain);
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(compressed.data()) + kFramePrefix;
  stream.avail_out = static_cast<uInt>(compressed.size() - kFramePrefix);
  const bool smaller = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  compressed.resize(compressed.size() - stream.avail_out);
  deflateEnd(&stream);
  if (!smaller) return framed;
  write_frame_prefix(compressed);
  compressed[0] = 1;
  return compressed;
}

}  // namespace flow::wire
