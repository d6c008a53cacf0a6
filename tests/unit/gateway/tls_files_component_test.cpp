// SPDX-License-Identifier: Apache-2.0
// The little of TLS that touches files.
#include "gateway/tls/tls_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/limits.hpp"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/gateway/tls_test_support.hpp"

namespace flow::gateway {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;

class TlsFilesTest : public testing::Test {
 protected:
  TlsFilesTest() {
    fs::create_directories(folder_);
    write("cert.pem", identity_.certificate);
    write("key.pem", identity_.key);
    config_.file = "flow.toml";
    config_.gateway.tls = core::TlsConfig{.certificate = path("cert.pem"),
                                          .certificate_at = {3, 7},
                                          .key = path("key.pem"),
                                          .key_at = {4, 7},
                                          .client_ca = "",
                                          .client_ca_at = {}};
  }
  ~TlsFilesTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }
  // As whoever renews certificates does: a new file in the place of the old one.
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name + ".new")) << text;
    fs::rename(path(name + ".new"), path(name));
  }
  std::string failure() const {
    const auto files = TlsFiles::load(config_);
    return files.ok() ? "no failure" : std::string(core::message(files.status()));
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / fmt::format("flow-tls-{}", ::getpid());
  const Authority authority_{"The authority"};
  const Identity identity_ = authority_.issue("the gateway");
  core::FlowConfig config_;
};

TEST_F(TlsFilesTest, LoadsWhatIsRight) {
  write("ca.pem", authority_.certificate());
  config_.gateway.tls->client_ca = path("ca.pem");
  const auto files = TlsFiles::load(config_);

  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ((*files)->warning(), "");
  EXPECT_NE(SSL_CTX_get0_certificate(&(*files)->context()), nullptr);
}

TEST_F(TlsFilesTest, SaysAllThatIsWrongWithItsPlace) {
  config_.gateway.tls->certificate = path("none.pem");
  write("key.pem", "hello");
  config_.gateway.tls->client_ca = path("cert.pem.d");
  config_.gateway.tls->client_ca_at = {5, 7};
  fs::create_directories(path("cert.pem.d"));

  EXPECT_EQ(failure(),
            fmt::format("flow.toml:3:7: certificate: cannot read {}: No such file or directory\n"
                        "flow.toml:4:7: key: {} has no private key in PEM form "
                        "(-----BEGIN PRIVATE KEY-----)\n"
                        "flow.toml:5:7: client_ca: {} is no file",
                        path("none.pem"), path("key.pem"), path("cert.pem.d")));
}

TEST_F(TlsFilesTest, SaysThatTheKeyIsOfAnotherCertificate) {
  write("key.pem", authority_.issue("another").key);

  EXPECT_EQ(failure(), fmt::format("flow.toml:4:7: key: {} is not the private key of the "
                                   "certificate: key values mismatch",
                                   path("key.pem")));
}

TEST_F(TlsFilesTest, ReadsNothingThatCouldMakeItWaitOrHasNoEnd) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  config_.gateway.tls->key = path("pipe");
  EXPECT_THAT(failure(), HasSubstr("pipe is no file"));

  write("key.pem", std::string(core::limits::kPemBytesMax + 1, 'x'));
  config_.gateway.tls->key = path("key.pem");
  EXPECT_THAT(failure(), HasSubstr("is larger than 1048576 bytes"));
}

TEST_F(TlsFilesTest, WarnsOfACertificateThatExpired) {
  const Identity old = authority_.issue("the gateway", {.from = -2h, .until = -1h});
  write("cert.pem", old.certificate);
  write("key.pem", old.key);
  const auto files = TlsFiles::load(config_);

  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT((*files)->warning(), HasSubstr("flow.toml:3:7: certificate: " + path("cert.pem")));
  EXPECT_THAT((*files)->warning(), HasSubstr("expired at 20"));
}

TEST_F(TlsFilesTest, TakesRenewedFilesOnceTheyHoldStill) {
  const auto files = TlsFiles::load(config_);
  ASSERT_TRUE(files.ok()) << files.status();
  const SSL_CTX* before = &(*files)->context();
  EXPECT_EQ(*(*files)->refresh(), false);

  const Identity renewed = authority_.issue("the gateway");
  write("cert.pem", renewed.certificate);
  EXPECT_EQ(*(*files)->refresh(), false) << "its key may be on its way";
  write("key.pem", renewed.key);
  EXPECT_EQ(*(*files)->refresh(), false);
  EXPECT_EQ(&(*files)->context(), before);

  EXPECT_EQ(*(*files)->refresh(), true);
  EXPECT_EQ(Authority::pem(*SSL_CTX_get0_certificate(&(*files)->context())), renewed.certificate);
  EXPECT_EQ(*(*files)->refresh(), false);
}

TEST_F(TlsFilesTest, KeepsWhatItHasWhenTheNewFilesAreOfNoUse) {
  const auto files = TlsFiles::load(config_);
  ASSERT_TRUE(files.ok()) << files.status();
  const SSL_CTX* before = &(*files)->context();
  fs::remove(path("cert.pem"));
  EXPECT_EQ(*(*files)->refresh(), false);

  const auto refused = (*files)->refresh();
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(core::message(refused.status())), HasSubstr("flow.toml:3:7"));
  EXPECT_EQ(*(*files)->refresh(), false) << "once is enough";
  EXPECT_EQ(&(*files)->context(), before);

  write("cert.pem", identity_.certificate);
  EXPECT_EQ(*(*files)->refresh(), false);
  EXPECT_EQ(*(*files)->refresh(), true);
}

}  // namespace
}  // namespace flow::gateway
