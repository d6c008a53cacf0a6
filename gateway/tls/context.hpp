// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "gateway/tls/openssl.hpp"

// What all connections of a TLS port have in common, put together from texts in PEM form. Messages
// go on after the name of the file that the text is from: "has no certificate in PEM form".
namespace flow::gateway {

// TLS 1.2 and 1.3 with forward secrecy and authenticated encryption, ALPN for HTTP/2 and HTTP/1.1,
// no renegotiation, nothing kept of a session but what its ticket holds.
TlsContext make_tls_context();

// The server's certificate, followed by those of the authorities between it and a root, if any.
absl::Status use_certificate(SSL_CTX& context, std::string_view pem);

// The private key, without a password; that of the certificate, if the context has one.
absl::Status use_key(SSL_CTX& context, std::string_view pem);

// From now on a client needs a certificate that one of these authorities vouches for.
absl::Status require_client_certificate(SSL_CTX& context, std::string_view pem);

// "expired at 2026-11-22T08:15:30.000Z" or "is not valid before ...", of the server's certificate;
// empty if it is valid now.
std::string validity_problem(const SSL_CTX& context, std::chrono::system_clock::time_point now);

}  // namespace flow::gateway
