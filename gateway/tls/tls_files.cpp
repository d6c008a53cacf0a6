// SPDX-License-Identifier: Apache-2.0
#include "gateway/tls/tls_files.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include "core/file.hpp"
#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "gateway/net/clock.hpp"
#include "gateway/tls/context.hpp"

namespace flow::gateway {
namespace {

namespace limits = core::limits;

// A regular file, because anything else could make us wait.
absl::StatusOr<std::string> read_pem(const std::string& file) {
  struct stat facts = {};
  if (::stat(file.c_str(), &facts) != 0) {
    return core::system_error(errno, fmt::format("cannot read {}", file));
  }
  if (!S_ISREG(facts.st_mode)) {
    return core::error(absl::StatusCode::kInvalidArgument, fmt::format("{} is no file", file));
  }
  FLOW_ASSIGN_OR_RETURN(std::string text, core::read_file(file, limits::kPemBytesMax + 1));
  if (text.size() > limits::kPemBytesMax) {
    return core::error(absl::StatusCode::kInvalidArgument,
                       fmt::format("{} is larger than {} bytes, so no file of certificates", file,
                                   limits::kPemBytesMax));
  }
  return text;
}

using Use = absl::Status (*)(SSL_CTX&, std::string_view);

absl::Status read_into(SSL_CTX& context, const std::string& file, Use use) {
  FLOW_ASSIGN_OR_RETURN(const std::string pem, read_pem(file));
  const absl::Status status = use(context, pem);
  if (status.ok()) return status;
  return core::error(status.code(), fmt::format("{} {}", file, core::message(status)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsFiles>> TlsFiles::load(const core::FlowConfig& config) {
  std::unique_ptr<TlsFiles> files(new TlsFiles(config));
  files->seen_ = files->look();
  FLOW_RETURN_IF_ERROR(files->read());
  return files;
}

absl::StatusOr<bool> TlsFiles::refresh() {
  const Stamps now = look();
  const bool settled = std::exchange(seen_, now) == now;
  if (!settled || now == read_) return false;
  FLOW_RETURN_IF_ERROR(read());
  return true;
}

TlsFiles::Stamps TlsFiles::look() const {
  Stamps stamps;
  std::size_t place = 0;
  for (const std::string* file : {&tls_.certificate, &tls_.key, &tls_.client_ca}) {
    Stamp& stamp = stamps[place++];
    struct stat facts = {};
    if (file->empty() || ::stat(file->c_str(), &facts) != 0) continue;
    stamp = {facts.st_dev, facts.st_ino, facts.st_size,
             std::chrono::nanoseconds(std::chrono::seconds(facts.st_mtim.tv_sec)).count() +
                 facts.st_mtim.tv_nsec};
  }
  return stamps;
}

absl::Status TlsFiles::read() {
  read_ = seen_;
  TlsContext context = make_tls_context();
  std::vector<std::string> errors;
  const auto add = [&](std::string_view key, const std::string& file, core::Location at, Use use) {
    const absl::Status status = read_into(*context, file, use);
    if (status.ok()) return;
    const std::string what = fmt::format("{}: {}", key, core::message(status));
    errors.push_back(core::at_location(config_, at, core::one_line(what)));
  };
  add("certificate", tls_.certificate, tls_.certificate_at, &use_certificate);
  add("key", tls_.key, tls_.key_at, &use_key);
  if (!tls_.client_ca.empty()) {
    add("client_ca", tls_.client_ca, tls_.client_ca_at, &require_client_certificate);
  }
  if (!errors.empty()) {
    return core::error(absl::StatusCode::kInvalidArgument,
                       fmt::format("{}", fmt::join(errors, "\n")));
  }

  const std::string problem = validity_problem(*context, Clock::wall());
  warning_.clear();
  if (!problem.empty()) {
    warning_ = core::at_location(config_, tls_.certificate_at,
                                 fmt::format("certificate: {} {}", tls_.certificate, problem));
  }
  context_ = std::move(context);
  return absl::OkStatus();
}

}  // namespace flow::gateway
