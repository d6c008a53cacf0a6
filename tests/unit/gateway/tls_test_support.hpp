// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include "core/status.hpp"
#include "gateway/tls/context.hpp"
#include "gateway/tls/openssl.hpp"
#include "gtest/gtest.h"

// Certificates that are made for a test, and a client of TLS without a socket.
namespace flow::gateway {

struct Identity {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

// Signs certificates. EC P-256, because a key is made in no time.
class Authority {
 public:
  // Valid from `from` until `until`, both from now.
  struct Validity {
    std::chrono::seconds from = std::chrono::hours(-1);
    std::chrono::seconds until = std::chrono::hours(1);
  };

  explicit Authority(const char* name) : name_(name) {
    key_.reset(EVP_EC_gen("P-256"));
    certificate_ = sign(name, *key_, Validity(), nullptr);
  }

  std::string certificate() const { return pem(*certificate_); }

  Identity issue(const char* name) const { return issue(name, Validity()); }
  Identity issue(const char* name, Validity validity) const {
    const PrivateKey key(EVP_EC_gen("P-256"));
    return {pem(*sign(name, *key, validity, "DNS:localhost,IP:127.0.0.1")), pem(*key)};
  }

  static std::string pem(X509& certificate) {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), &certificate);
    return content(*bio);
  }
  static std::string pem(EVP_PKEY& key, const char* password = nullptr) {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(bio.get(), &key,
                                  password == nullptr ? nullptr : EVP_aes_128_cbc(), nullptr, 0,
                                  nullptr, const_cast<char*>(password));
    return content(*bio);
  }
  static std::string content(BIO& bio) {
    std::string text(BIO_ctrl_pending(&bio), '\0');
    if (!text.empty()) BIO_read(&bio, text.data(), static_cast<int>(text.size()));
    return text;
  }

 private:
  // By this authority, or by itself if that does not exist yet. No `names`: an authority.
  Certificate sign(const char* name, EVP_PKEY& key, Validity validity, const char* names) const {
    Certificate certificate(X509_new());
    X509* x = certificate.get();
    X509_set_version(x, X509_VERSION_3);
    static long serial = 0;  // of one authority they must differ
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), validity.from.count());
    X509_gmtime_adj(X509_getm_notAfter(x), validity.until.count());
    X509_set_pubkey(x, &key);
    set_name(X509_get_subject_name(x), name);
    set_name(X509_get_issuer_name(x), name_);
    add(*x, NID_basic_constraints, names == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (names != nullptr) add(*x, NID_subject_alt_name, names);
    EXPECT_NE(X509_sign(x, key_.get(), EVP_sha256()), 0);
    return certificate;
  }
  static void set_name(X509_NAME* to, const char* name) {
    X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  }
  static void add(X509& certificate, int what, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value);
    X509_add_ext(&certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  const char* name_;
  PrivateKey key_;
  Certificate certificate_;
};

// The client's end of a TLS connection in memory.
class TlsClient {
 public:
  // Changes what is to be different about a client before it connects.
  using Change = void (*)(SSL_CTX&);

  explicit TlsClient(const std::string& trusted, Change change = nullptr,
                     const Identity* identity = nullptr)
      : context_(SSL_CTX_new(TLS_client_method())) {
    const Bio authority = reader_of(trusted);
    const Certificate certificate(PEM_read_bio_X509(authority.get(), nullptr, nullptr, nullptr));
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), certificate.get());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    if (identity != nullptr) {
      EXPECT_TRUE(use_certificate(*context_, identity->certificate).ok());
      EXPECT_TRUE(use_key(*context_, identity->key).ok());
    }
    if (change != nullptr) change(*context_);
    connect(nullptr);
  }

  // Anew, with what is left of an earlier session.
  void connect(SSL_SESSION* session) {
    connection_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in_, -1);
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(connection_.get(), in_, out_);
    SSL_set1_host(connection_.get(), "localhost");
    SSL_set_connect_state(connection_.get());
    if (session != nullptr) SSL_set_session(connection_.get(), session);
    plain_.clear();
    closed_ = false;
    error_.clear();
    go_on();
  }

  // Records for the server.
  std::string output() { return Authority::content(*out_); }

  void take(std::string_view records) {
    BIO_write(in_, records.data(), static_cast<int>(records.size()));
    go_on();
  }

  void say(std::string_view plain) {
    SSL_write(connection_.get(), plain.data(), static_cast<int>(plain.size()));
  }
  void close() { SSL_shutdown(connection_.get()); }

  SSL* ssl() const { return connection_.get(); }
  bool connected() const { return SSL_is_init_finished(connection_.get()) != 0; }
  const std::string& heard() const { return plain_; }
  // Did the server say that it closes?
  bool closed() const { return closed_; }
  // In OpenSSL's words; "" is none.
  const std::string& error() const { return error_; }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(connection_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }

 private:
  void go_on() {
    std::array<char, 16 << 10> part;
    while (error_.empty() && !closed_) {
      ERR_clear_error();
      const int size = SSL_read(connection_.get(), part.data(), static_cast<int>(part.size()));
      if (size > 0) {
        plain_.append(part.data(), static_cast<std::size_t>(size));
        continue;
      }
      const int reason = SSL_get_error(connection_.get(), size);
      if (reason == SSL_ERROR_WANT_READ) return;
      if (reason == SSL_ERROR_ZERO_RETURN) {
        closed_ = true;
      } else {
        error_ = core::message(openssl_error(absl::StatusCode::kUnknown, "client"));
      }
    }
  }

  TlsContext context_;
  TlsConnection connection_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
  std::string plain_;
  bool closed_ = false;
  std::string error_;
};

// A context that shows `identity`, and asks clients for a certificate if there is a `client_ca`.
inline TlsContext server_context(const Identity& identity, const std::string& client_ca = {}) {
  TlsContext context = make_tls_context();
  EXPECT_TRUE(use_certificate(*context, identity.certificate).ok());
  EXPECT_TRUE(use_key(*context, identity.key).ok());
  if (!client_ca.empty()) {
    EXPECT_TRUE(require_client_certificate(*context, client_ca).ok());
  }
  return context;
}

}  // namespace flow::gateway
