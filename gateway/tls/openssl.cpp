// SPDX-License-Identifier: Apache-2.0
#include "gateway/tls/openssl.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include "core/status.hpp"

namespace flow::gateway {

Bio reader_of(std::string_view bytes) {
  Bio bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  if (!bio) std::abort();  // out of memory
  BIO_set_mem_eof_return(bio.get(), -1);
  return bio;
}

absl::Status openssl_error(absl::StatusCode code, std::string_view what) {
  // Whoever fails first may be the first to use OpenSSL: it has no words before that.
  OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, nullptr);
  std::string text(what);
  const char* separator = ": ";
  while (const unsigned long error = ERR_get_error()) {
    text += std::exchange(separator, "; ");
    if (const char* reason = ERR_reason_error_string(error)) {
      text += reason;
      continue;
    }
    std::array<char, 256> number;
    ERR_error_string_n(error, number.data(), number.size());
    text += number.data();
  }
  return core::error(code, text);
}

}  // namespace flow::gateway
