// SPDX-License-Identifier: Apache-2.0
#include "client/src/byte_stream.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "core/net_address.hpp"
#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::client {
namespace {

using Endpoints = std::vector<tcp::endpoint>;

// The answer of the system's resolver, which nothing can interrupt.
struct Resolution {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  error_code failure;
  Endpoints endpoints;
};

void resolve_into(Resolution& resolution, const std::string& host, std::uint16_t port) {
  asio::io_context context;
  error_code failure;
  const auto found = tcp::resolver(context).resolve(host, std::to_string(port), failure);
  const std::lock_guard lock(resolution.mutex);
  resolution.failure = failure;
  for (const auto& each : found) resolution.endpoints.push_back(each.endpoint());
  resolution.done = true;
  resolution.changed.notify_all();
}

absl::StatusOr<Endpoints> resolve(const std::string& host, std::uint16_t port, Deadline deadline) {
  error_code not_an_address;
  const auto address = asio::ip::make_address(host, not_an_address);
  if (!not_an_address) return Endpoints{{address, port}};

  // Shared with a thread that outlives this function if the resolver is slower than the deadline.
  const auto resolution = std::make_shared<Resolution>();
  try {
    std::thread([resolution, host, port] { resolve_into(*resolution, host, port); }).detach();
  } catch (const std::system_error& error) {
    return core::error(absl::StatusCode::kResourceExhausted,
                       fmt::format("resolving {}: {}", host, error.what()));
  }
  std::unique_lock lock(resolution->mutex);
  if (!resolution->changed.wait_until(lock, deadline, [&] { return resolution->done; })) {
    return link_error(asio::error::timed_out, fmt::format("resolving {}", host));
  }
  if (resolution->failure) {
    return link_error(resolution->failure, fmt::format("resolving {}", host));
  }
  return std::move(resolution->endpoints);
}

// Why OpenSSL did not like the server's certificate, if that is what happened.
std::string verification_text(ByteStream::Tls& tls) {
  const long result = SSL_get_verify_result(tls.native_handle());
  if (result == X509_V_OK) return {};
  return fmt::format(" ({})", X509_verify_cert_error_string(result));
}

absl::Status begin_tls(Link& link, const ServerAddress& address, const TlsOptions& options,
                       Deadline deadline) {
  ByteStream::Tls& tls = *link.bytes->tls();
  const std::string& name = options.server_name.empty() ? address.host : options.server_name;
  const std::string doing = fmt::format("the TLS handshake with {}", name);
  // An IP address is no name: RFC 6066 forbids it here.
  error_code not_an_address;
  asio::ip::make_address(name, not_an_address);
  if (not_an_address && SSL_ctrl(tls.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME,
                                 TLSEXT_NAMETYPE_host_name, const_cast<char*>(name.c_str())) != 1) {
    return core::error(absl::StatusCode::kInvalidArgument, fmt::format("{}: not a name", doing));
  }
  if (options.verification == Verification::Full) {
    tls.set_verify_callback(asio::ssl::host_name_verification(name));
  }
  const error_code failure = link.run(deadline, [&tls](auto done) {
    tls.async_handshake(asio::ssl::stream_base::client, std::move(done));
  });
  if (!failure) return absl::OkStatus();
  return link_error(failure,
                    doing + (failure == asio::error::timed_out ? "" : verification_text(tls)));
}

}  // namespace

bool ByteStream::is_quiet() {
  char byte = 0;
  return ::recv(socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

absl::StatusOr<std::unique_ptr<Link>> Link::open(const ServerAddress& address,
                                                 const ClientOptions& options,
                                                 asio::ssl::context* tls, Deadline deadline) {
  deadline = std::min(deadline, deadline_after(options.connect_timeout));
  FLOW_ASSIGN_OR_RETURN(const Endpoints endpoints, resolve(address.host, address.port, deadline));
  auto link = std::make_unique<Link>();
  tcp::socket socket(link->loop.context());
  const error_code failure = link->loop.run(
      deadline, [&](auto done) { asio::async_connect(socket, endpoints, std::move(done)); },
      [&socket] {
        error_code ignored;
        socket.close(ignored);
      });
  if (failure) {
    return link_error(
        failure, fmt::format("connecting to {}",
                             core::format_address({.host = address.host, .port = address.port})));
  }
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  if (tls == nullptr) {
    link->bytes.emplace(std::move(socket));
    return link;
  }
  link->bytes.emplace(ByteStream::Tls(std::move(socket), *tls));
  FLOW_RETURN_IF_ERROR(begin_tls(*link, address, options.tls, deadline));
  return link;
}

absl::StatusOr<std::unique_ptr<asio::ssl::context>> make_tls_context(const ServerAddress& address,
                                                                     const TlsOptions& options) {
  if (!address.tls) return nullptr;
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
  error_code failure;
  const auto refuse = [&failure](const std::string& what) {
    return core::error(
        absl::StatusCode::kInvalidArgument,
        fmt::format("{}: {}; expected a file in PEM format", what, failure.message()));
  };
  context->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                           asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                           asio::ssl::context::no_tlsv1_1,
                       failure);
  // "http/1.1", as ALPN has it.
  constexpr unsigned char kProtocols[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  SSL_CTX_set_alpn_protos(context->native_handle(), kProtocols, sizeof kProtocols);

  if (options.verification == Verification::None) {
    context->set_verify_mode(asio::ssl::verify_none, failure);
  } else {
    context->set_verify_mode(asio::ssl::verify_peer, failure);
    if (options.ca_file.empty()) {
      context->set_default_verify_paths(failure);
      if (failure) return refuse("the system's certificate authorities");
    } else {
      context->load_verify_file(options.ca_file, failure);
      if (failure) return refuse(options.ca_file);
    }
  }
  if (!options.certificate_file.empty()) {
    context->use_certificate_chain_file(options.certificate_file, failure);
    if (failure) return refuse(options.certificate_file);
  }
  if (!options.key_file.empty()) {
    context->use_private_key_file(options.key_file, asio::ssl::context::pem, failure);
    if (failure) return refuse(options.key_file);
  }
  return context;
}

absl::Status link_error(error_code failure, std::string_view doing) {
  if (failure == asio::error::timed_out) {
    return core::error(absl::StatusCode::kDeadlineExceeded,
                       fmt::format("{}: not done in time", doing));
  }
  return core::error(absl::StatusCode::kUnavailable,
                     fmt::format("{}: {}", doing, failure.message()));
}

}  // namespace flow::client
