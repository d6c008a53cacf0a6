// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "wire/grpc.hpp"

struct z_stream_s;

// gRPC's message compression: https://github.com/grpc/grpc/blob/master/doc/compression.md
namespace flow::wire {

// "deflate" is zlib's format (RFC 1950), as everywhere in gRPC.
enum class Encoding { Identity, Deflate, Gzip };

std::string_view name(Encoding encoding);
// The value of grpc-encoding; nullopt if we do not know it.
std::optional<Encoding> parse_encoding(std::string_view name);
// Does a grpc-accept-encoding ("identity, gzip") list it?
bool accepts(std::string_view accept_encoding, Encoding encoding);

// Of a framed message: is its payload compressed?
inline bool is_compressed(std::string_view framed) { return framed[0] != 0; }

// Inflates one framed message, a slice at a time: a few bytes may stand for very many, and whoever
// shares the thread wants his turn. Costs memory for what there is so far, not for what is claimed.
// Confined to its user.
class Inflater {
 public:
  // `encoding` is not Identity, `payload_max` what may come out.
  Inflater(Encoding encoding, std::string framed, std::uint64_t payload_max);
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater();

  // Makes at most `slice` bytes more; true when that was the last. RESOURCE_EXHAUSTED: more than
  // payload_max; INTERNAL: not one compressed stream from the first byte to the last.
  absl::StatusOr<bool> step(std::size_t slice);

  // Bytes so far of the inflated message, framed.
  std::size_t size() const { return out_.size(); }
  std::size_t compressed_size() const { return in_.size(); }
  // The inflated message, framed. Once, after the last step.
  std::string take();

 private:
  const std::string in_;
  const std::uint64_t payload_max_;
  std::string out_;
  std::unique_ptr<z_stream_s> stream_;
};

// The same message compressed, framed; or as it is, if it is too small to gain by it, so large that
// it would hold up others, or no smaller afterwards.
std::string compress(std::string framed, Encoding encoding);

}  // namespace flow::wire
