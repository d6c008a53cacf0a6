// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>

#include "absl/status/status.h"

// OpenSSL's C objects as C++ ones.
namespace flow::gateway {

struct OpensslDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* connection) const { SSL_free(connection); }
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using TlsContext = std::unique_ptr<SSL_CTX, OpensslDeleter>;
using TlsConnection = std::unique_ptr<SSL, OpensslDeleter>;
using Bio = std::unique_ptr<BIO, OpensslDeleter>;
using Certificate = std::unique_ptr<X509, OpensslDeleter>;
using PrivateKey = std::unique_ptr<EVP_PKEY, OpensslDeleter>;

// A BIO that reads `bytes`, which stay valid as long as it, and then asks to be tried again.
Bio reader_of(std::string_view bytes);

// "what: why", where `why` is what stands in this thread's error queue, the cause first, and is
// taken out of it.
absl::Status openssl_error(absl::StatusCode code, std::string_view what);

}  // namespace flow::gateway
