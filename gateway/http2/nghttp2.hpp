// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "core/status.hpp"
#include "fmt/format.h"
#include "nghttp2/nghttp2.h"

// nghttp2's C objects as C++ ones.
namespace flow::gateway {

struct Nghttp2Deleter {
  void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  void operator()(nghttp2_session_callbacks* callbacks) const {
    nghttp2_session_callbacks_del(callbacks);
  }
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};
using Nghttp2Session = std::unique_ptr<nghttp2_session, Nghttp2Deleter>;
using Nghttp2Callbacks = std::unique_ptr<nghttp2_session_callbacks, Nghttp2Deleter>;
using Nghttp2Option = std::unique_ptr<nghttp2_option, Nghttp2Deleter>;

inline Nghttp2Callbacks make_nghttp2_callbacks() {
  nghttp2_session_callbacks* callbacks = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) std::abort();  // out of memory
  return Nghttp2Callbacks(callbacks);
}

inline Nghttp2Option make_nghttp2_option() {
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) std::abort();  // out of memory
  return Nghttp2Option(option);
}

inline std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A header field. Static ones are literals, or live as long as the session; the others are copied
// and kept out of the compression table, because their value is never seen twice.
enum class HeaderValue { Static, PerCall };

inline nghttp2_nv header(std::string_view name, std::string_view value, HeaderValue kind) {
  const auto bytes = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  const std::uint8_t flags =
      kind == HeaderValue::Static
          ? std::uint8_t{NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}
          : std::uint8_t{NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_INDEX};
  return {bytes(name), bytes(value), name.size(), value.size(), flags};
}

inline absl::Status nghttp2_error(ssize_t code, std::string_view what) {
  return core::error(absl::StatusCode::kInternal,
                     fmt::format("{}: {}", what, nghttp2_strerror(static_cast<int>(code))));
}

// Appends frames to `out` until it is `limit` bytes long or there are none.
inline void produce_frames(nghttp2_session* session, std::string& out, std::size_t limit) {
  while (out.size() < limit) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session, &data);
    // A NO_COPY frame is written by its callback and counts as nothing here.
    if (size <= 0) break;
    out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  }
}

}  // namespace flow::gateway
