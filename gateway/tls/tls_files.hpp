// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/config.hpp"
#include "gateway/tls/openssl.hpp"

namespace flow::gateway {

// The files of [gateway] tls and what new connections get from them. Files that change are read
// again; connections that exist keep what they began with. Confined to its loop.
class TlsFiles {
 public:
  // `config`, whose gateway has `tls`, stays valid as long as the result. An error's message holds
  // what is wrong with all of the files, one line each, with the place in flow.toml.
  static absl::StatusOr<std::unique_ptr<TlsFiles>> load(const core::FlowConfig& config);

  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  SSL_CTX& context() const { return *context_; }

  // What clients will dislike about the certificate ("... expired at ..."); empty if nothing.
  const std::string& warning() const { return warning_; }

  // Looks whether the files changed; call it about once a second. True if they did and are in use
  // from now on. An error if they did and cannot be used, once for each change: the old ones stay.
  // Files are read only when two looks in a row found them the same, so that a certificate and its
  // key may be replaced one after the other.
  absl::StatusOr<bool> refresh();

 private:
  // What tells one version of a file from another.
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::array<Stamp, 3>;

  explicit TlsFiles(const core::FlowConfig& config) : config_(config), tls_(*config.gateway.tls) {}
  Stamps look() const;
  absl::Status read();

  const core::FlowConfig& config_;
  const core::TlsConfig& tls_;
  TlsContext context_;
  std::string warning_;
  Stamps seen_;  // at the last look
  Stamps read_;  // of the files that were read last, usable or not
};

}  // namespace flow::gateway
