// SPDX-License-Identifier: Apache-2.0
// Protects what somebody reads whose certificate or key is not what it should be.
#include "gateway/tls/context.hpp"

#include <chrono>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/tls_test_support.hpp"

namespace flow::gateway {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

std::string text(const absl::Status& status) { return std::string(core::message(status)); }

class TlsContextTest : public testing::Test {
 protected:
  const Authority authority_{"The authority"};
  const Identity identity_ = authority_.issue("the gateway");
  const TlsContext context_ = make_tls_context();
};

TEST_F(TlsContextTest, TakesACertificateItsChainAndItsKey) {
  EXPECT_TRUE(use_certificate(*context_, "by hand\n" + identity_.certificate + "\ncomment\n" +
                                             authority_.certificate())
                  .ok());
  EXPECT_TRUE(use_key(*context_, identity_.key).ok());
  EXPECT_TRUE(require_client_certificate(*context_, authority_.certificate()).ok());
}

TEST_F(TlsContextTest, SaysThatATextHasNoCertificate) {
  for (const std::string& pem : {std::string(), std::string("hello"), identity_.key,
                                 std::string("-----BEGIN CERTIFICATE-----\n")}) {
    EXPECT_THAT(text(use_certificate(*context_, pem)), StartsWith("has ")) << pem;
    EXPECT_THAT(text(require_client_certificate(*context_, pem)), StartsWith("has ")) << pem;
  }
  EXPECT_EQ(text(use_certificate(*context_, identity_.key)),
            "has no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
}

TEST_F(TlsContextTest, SaysThatACertificateIsBroken) {
  std::string broken = identity_.certificate;
  broken[broken.size() / 2] = '!';
  const std::string cut = identity_.certificate.substr(0, identity_.certificate.size() / 2);
  for (const std::string& pem : {broken, cut}) {
    EXPECT_THAT(text(use_certificate(*context_, pem)),
                StartsWith("has a certificate that cannot be read: "));
    EXPECT_THAT(text(use_certificate(*context_, identity_.certificate + pem)),
                StartsWith("has a certificate that cannot be read: "))
        << "one of the chain";
    EXPECT_THAT(text(require_client_certificate(*context_, authority_.certificate() + pem)),
                StartsWith("has a certificate that cannot be read: "));
  }
}

TEST_F(TlsContextTest, SaysThatAKeyIsOfAnotherCertificate) {
  ASSERT_TRUE(use_certificate(*context_, identity_.certificate).ok());
  const PrivateKey rsa(EVP_RSA_gen(2048));

  EXPECT_EQ(text(use_key(*context_, authority_.issue("another").key)),
            "is not the private key of the certificate: key values mismatch");
  EXPECT_EQ(text(use_key(*context_, Authority::pem(*rsa))),
            "is not the private key of the certificate: different key types; key type mismatch");
}

TEST_F(TlsContextTest, SaysWhatIsWrongWithAKey) {
  std::string broken = identity_.key;
  broken[broken.size() / 2] = '!';
  const PrivateKey key(EVP_EC_gen("P-256"));

  EXPECT_EQ(text(use_key(*context_, identity_.certificate)),
            "has no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  EXPECT_EQ(text(use_key(*context_, "")),
            "has no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  EXPECT_THAT(text(use_key(*context_, broken)),
              StartsWith("has a private key that cannot be read: "));
  EXPECT_EQ(text(use_key(*context_, Authority::pem(*key, "secret"))),
            "has a private key with a password, which nobody is there to give: store it without "
            "one");
}

TEST_F(TlsContextTest, KnowsWhenACertificateIsValid) {
  const auto now = std::chrono::system_clock::now();
  EXPECT_EQ(validity_problem(*context_, now), "") << "there is none";
  ASSERT_TRUE(use_certificate(*context_, identity_.certificate).ok());

  EXPECT_EQ(validity_problem(*context_, now), "");
  EXPECT_THAT(validity_problem(*context_, now + 2h), StartsWith("expired at 20"));
  EXPECT_THAT(validity_problem(*context_, now - 2h), StartsWith("is not valid before 20"));
}

TEST(OpensslError, TakesWhatIsInTheQueueTheCauseFirst) {
  ERR_clear_error();
  ERR_raise(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER);
  ERR_raise(ERR_LIB_SYS, ENOENT);
  ERR_raise(ERR_LIB_USER, 77);

  EXPECT_THAT(text(openssl_error(absl::StatusCode::kInternal, "TLS")),
              StartsWith("TLS: no shared cipher; "));
  EXPECT_EQ(text(openssl_error(absl::StatusCode::kInternal, "TLS")), "TLS") << "it is empty now";
}

}  // namespace
}  // namespace flow::gateway
