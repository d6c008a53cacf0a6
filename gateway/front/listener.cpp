// SPDX-License-Identifier: Apache-2.0
#include "gateway/front/listener.hpp"

#include <sys/socket.h>

#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "gateway/front/detecting_session.hpp"
#include "gateway/tls/tls_session.hpp"

namespace flow::gateway {

namespace asio = boost::asio;
namespace limits = core::limits;
using boost::system::error_code;

Listener::Listener(Loop& loop, core::Logger log, const Front& front)
    : loop_(loop), log_(std::move(log)), front_(front), acceptor_(loop.io()) {}

Listener::~Listener() {
  on_drained_ = nullptr;
  for (const auto& connection : connections_) connection->abandon();
}

absl::Status Listener::listen(const core::NetAddress& address) {
  error_code error;
  const auto failed = [&](std::string_view what) {
    return core::error(absl::StatusCode::kUnavailable,
                       fmt::format("gateway: cannot {} {}: {}", what, core::format_address(address),
                                   error.message()));
  };
  const auto ip =
      asio::ip::make_address(address.host == "localhost" ? "127.0.0.1" : address.host, error);
  if (error) return failed("use the address");
  const asio::ip::tcp::endpoint endpoint(ip, address.port);
  acceptor_.open(endpoint.protocol(), error);
  if (error) return failed("open a socket for");
  acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  // flow-host holds the port for us by a bound socket that does not listen
  // (docs/decisions/0009-ports-are-reserved-by-the-supervisor.md).
  const int on = 1;
  ::setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  acceptor_.bind(endpoint, error);
  if (error) return failed("bind");
  acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed("listen on");
  port_ = acceptor_.local_endpoint(error).port();
  accept();
  return absl::OkStatus();
}

void Listener::accept() {
  acceptor_.async_accept([this](const error_code& error, auto socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) {
      // Out of descriptors or memory: what is connected goes on, and frees some in time.
      log_->warn("cannot accept a connection: {}", error.message());
      return accept_again_.set(loop_.alarms(), Clock::now() + limits::kReconnectDelay,
                               [this] { accept(); });
    }
    error_code ignored;  // without it, small answers are late and nothing else
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket.native_non_blocking(true, ignored);
    admit(std::move(socket));
    accept();
  });
}

void Listener::admit(Socket socket) {
  if (connections_.size() >= limits::kConnectionsMax) {
    if (!std::exchange(full_, true)) {
      log_->warn("{} connections are open, the limit: new ones are closed", connections_.size());
    }
    return;
  }
  full_ = false;
  auto connection = std::make_shared<Connection>(loop_, std::move(socket));
  connections_.insert(connection);
  connection->start(make_session(*connection),
                    [this, key = std::weak_ptr(connection)](const absl::Status& why) {
                      // That somebody went away is nothing; what he did wrong, he may ask us about.
                      const bool wrong = !why.ok() && !absl::IsUnavailable(why);
                      log_->log(wrong ? spdlog::level::debug : spdlog::level::trace,
                                "connection closed: {}", core::message(why));
                      connections_.erase(key.lock());
                      if (connections_.empty() && on_drained_) {
                        std::exchange(on_drained_, nullptr)();
                      }
                    });
}

std::unique_ptr<Session> Listener::make_session(OutputSignal& output) {
  auto session = std::make_unique<DetectingSession>(loop_, front_, output);
  if (tls_ == nullptr) return session;
  return std::make_unique<TlsSession>(tls_->context(), std::move(session), output);
}

void Listener::drain(std::function<void()> on_drained) {
  error_code ignored;  // a socket that does not close does not accept either
  acceptor_.close(ignored);
  accept_again_.cancel();
  on_drained_ = std::move(on_drained);
  if (connections_.empty()) return std::exchange(on_drained_, nullptr)();
  for (const auto& connection : connections_) {
    connection->session().drain();
    connection->output_ready();
  }
}

void Listener::sweep(Clock::time_point now) {
  // One that is cut off leaves the set later, by a handler of its own.
  for (const auto& connection : connections_) connection->sweep(now);
}

}  // namespace flow::gateway
