// SPDX-License-Identifier: Apache-2.0
#include "gateway/tls/context.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <cstdlib>
#include <ctime>

#include "absl/status/statusor.h"
#include "core/status.hpp"
#include "core/time_text.hpp"
#include "fmt/format.h"

namespace flow::gateway {
namespace {

using std::chrono::system_clock;

// In the order of our preference, each with its length before it, as ALPN has them (RFC 7301).
constexpr std::array<unsigned char, 12> kProtocols = {2,   'h', '2', 8,   'h', 't',
                                                      't', 'p', '/', '1', '.', '1'};
// Of TLS 1.2; those of 1.3 are all good. HTTP/2 forbids most others (RFC 9113, appendix A).
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
// Tickets of another program are no good here, even if it has the same key.
constexpr std::string_view kSessionContext = "flow-gateway";

// A client that offers protocols, but none of ours, hears so by an alert. One that offers none at
// all is welcome: its first bytes say what it speaks.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, chosen_size, kProtocols.data(), kProtocols.size(), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

// In place of OpenSSL's default, which asks on the terminal.
int no_password(char*, int, int, void*) { return -1; }

absl::Status unusable(std::string_view what) {
  return openssl_error(absl::StatusCode::kInvalidArgument, what);
}

// The next certificate of a PEM text; nullptr if there are no more.
absl::StatusOr<Certificate> next_certificate(BIO& pem) {
  ERR_clear_error();
  Certificate certificate(PEM_read_bio_X509(&pem, nullptr, &no_password, nullptr));
  if (certificate) return certificate;
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return unusable("has a certificate that cannot be read");
  }
  ERR_clear_error();
  return nullptr;
}

absl::StatusOr<Certificate> first_certificate(BIO& pem) {
  FLOW_ASSIGN_OR_RETURN(Certificate certificate, next_certificate(pem));
  if (certificate) return certificate;
  return core::error(absl::StatusCode::kInvalidArgument,
                     "has no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
}

system_clock::time_point time_of(const ASN1_TIME* time) {
  std::tm fields{};
  ASN1_TIME_to_tm(time, &fields);
  return system_clock::from_time_t(::timegm(&fields));
}

}  // namespace

TlsContext make_tls_context() {
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* c = context.get();
  if (c == nullptr || SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(c, kCiphers) != 1 ||
      SSL_CTX_set_session_id_context(c,
                                     reinterpret_cast<const unsigned char*>(kSessionContext.data()),
                                     kSessionContext.size()) != 1) {
    std::abort();  // out of memory, or an OpenSSL without what every OpenSSL has
  }
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION);
  // Most connections are idle most of the time: they need no buffers then.
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(c, &choose_protocol, nullptr);
  return context;
}

absl::Status use_certificate(SSL_CTX& context, std::string_view pem) {
  const Bio bio = reader_of(pem);
  FLOW_ASSIGN_OR_RETURN(const Certificate own, first_certificate(*bio));
  if (SSL_CTX_use_certificate(&context, own.get()) != 1) {
    return unusable("has a certificate that cannot be used");
  }
  for (;;) {
    FLOW_ASSIGN_OR_RETURN(Certificate issuer, next_certificate(*bio));
    if (!issuer) return absl::OkStatus();
    if (SSL_CTX_add0_chain_cert(&context, issuer.get()) != 1) {
      return unusable("has a chain that cannot be used");
    }
    (void)issuer.release();  // the context's now
  }
}

absl::Status use_key(SSL_CTX& context, std::string_view pem) {
  const Bio bio = reader_of(pem);
  ERR_clear_error();
  const PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_password, nullptr));
  if (!key) {
    if (pem.find("ENCRYPTED") != std::string_view::npos) {
      return core::error(
          absl::StatusCode::kInvalidArgument,
          "has a private key with a password, which nobody is there to give: store it without one");
    }
    if (pem.find("PRIVATE KEY-----") != std::string_view::npos) {
      return unusable("has a private key that cannot be read");
    }
    return core::error(absl::StatusCode::kInvalidArgument,
                       "has no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  }
  X509* certificate = SSL_CTX_get0_certificate(&context);
  if (certificate != nullptr && X509_check_private_key(certificate, key.get()) != 1) {
    return unusable("is not the private key of the certificate");
  }
  if (SSL_CTX_use_PrivateKey(&context, key.get()) != 1) {
    return unusable("has a private key that cannot be used");
  }
  return absl::OkStatus();
}

absl::Status require_client_certificate(SSL_CTX& context, std::string_view pem) {
  const Bio bio = reader_of(pem);
  FLOW_ASSIGN_OR_RETURN(Certificate authority, first_certificate(*bio));
  while (authority) {
    // The list of names helps a client that has several certificates to choose.
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(&context), authority.get()) != 1 ||
        SSL_CTX_add_client_CA(&context, authority.get()) != 1) {
      return unusable("has a certificate that cannot be used");
    }
    FLOW_ASSIGN_OR_RETURN(authority, next_certificate(*bio));
  }
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return absl::OkStatus();
}

std::string validity_problem(const SSL_CTX& context, system_clock::time_point now) {
  const X509* certificate = SSL_CTX_get0_certificate(&context);
  if (certificate == nullptr) return {};
  const auto begin = time_of(X509_get0_notBefore(certificate));
  const auto end = time_of(X509_get0_notAfter(certificate));
  if (now > end) return fmt::format("expired at {}", core::utc_text(end));
  if (now < begin) return fmt::format("is not valid before {}", core::utc_text(begin));
  return {};
}

}  // namespace flow::gateway
