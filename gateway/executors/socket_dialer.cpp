// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/socket_dialer.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <utility>

#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/local/stream_protocol.hpp"
#include "boost/asio/post.hpp"
#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "gateway/net/connection.hpp"

namespace flow::gateway {

namespace asio = boost::asio;
namespace limits = core::limits;
using boost::system::error_code;

namespace {

// An address that one can dial for one that one can bind.
std::string dialable(const std::string& host) {
  if (host.empty() || host == "0.0.0.0") return "127.0.0.1";
  return host == "::" ? "::1" : host;
}

asio::generic::stream_protocol::endpoint endpoint_of(const core::NetAddress& address,
                                                     error_code& error) {
  if (address.is_unix()) return asio::local::stream_protocol::endpoint(address.unix_path);
  const auto ip = asio::ip::make_address(
      address.host == "localhost" ? "127.0.0.1" : dialable(address.host), error);
  return asio::ip::tcp::endpoint(ip, address.port);
}

class SocketLink final : public Link {
 public:
  SocketLink(Loop& loop, DeathWatch& deaths, std::string name, core::NetAddress address,
             Events events)
      : loop_(loop),
        deaths_(deaths),
        name_(std::move(name)),
        address_(std::move(address)),
        events_(std::move(events)) {
    dial();
  }

  ~SocketLink() override {
    *alive_ = nullptr;
    if (connection_) connection_->abandon();
  }

  void sweep(Clock::time_point now) override {
    if (connection_) connection_->sweep(now);
  }

 private:
  void dial() {
    error_code error;
    const auto endpoint = endpoint_of(address_, error);
    if (error) {
      return asio::post(loop_.io(), [alive = alive_, error] {
        if (SocketLink* self = *alive) {
          self->end(fmt::format("cannot dial {}: {}", self->name_, error.message()));
        }
      });
    }
    const auto socket = std::make_shared<Socket>(loop_.io());
    // Its handler runs in any case; the alarm only hurries it.
    timeout_.set(loop_.alarms(), Clock::now() + limits::kConnectTimeout, [socket] {
      error_code ignored;
      socket->close(ignored);
    });
    socket->async_connect(endpoint, [alive = alive_, socket](const error_code& failed) {
      SocketLink* self = *alive;
      if (self == nullptr) return;
      self->timeout_.cancel();
      if (!failed) return self->on_connected(std::move(*socket));
      self->end(
          fmt::format("cannot connect to {}: {}", self->name_,
                      failed == asio::error::operation_aborted ? "timed out" : failed.message()));
    });
  }

  void on_connected(Socket socket) {
    error_code ignored;  // non-blocking is what asio has made it already
    socket.native_non_blocking(true, ignored);
    if (!address_.is_unix()) socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    if (address_.is_unix()) {
      death_ = deaths_.watch(address_.unix_path, socket.native_handle(), [this] { on_died(); });
    }
    connection_ = std::make_shared<Connection>(loop_, std::move(socket));
    connection_->start(events_.on_connected(*connection_), [alive = alive_](absl::Status why) {
      if (SocketLink* self = *alive) {
        self->end(why.ok() ? "it ended the connection"
                           : fmt::format("connection lost: {}", core::message(why)));
      }
    });
  }

  void on_died() {
    process_died_ = true;
    connection_->close_after_reading(core::error(absl::StatusCode::kUnavailable,
                                                 "the process died (its life lock was released)"));
  }

  void end(std::string why) {
    death_.reset();
    connection_.reset();
    // From a place of its own: it may destroy this.
    const auto on_end = std::move(events_.on_end);
    on_end({std::move(why), process_died_});
  }

  Loop& loop_;
  DeathWatch& deaths_;
  const std::string name_;
  const core::NetAddress address_;
  Events events_;
  Alarms::Alarm timeout_;
  std::shared_ptr<Connection> connection_;
  std::unique_ptr<DeathWatch::Watch> death_;  // of the process that connection_ leads to
  bool process_died_ = false;                 // and that is how the connection ends
  // Handlers that outlive this object find it null.
  std::shared_ptr<SocketLink*> alive_ = std::make_shared<SocketLink*>(this);
};

}  // namespace

std::unique_ptr<Link> SocketDialer::dial(const std::string& name, const core::NetAddress& address,
                                         Link::Events events) {
  return std::make_unique<SocketLink>(loop_, deaths_, name, address, std::move(events));
}

}  // namespace flow::gateway
