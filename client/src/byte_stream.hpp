// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "boost/asio/connect.hpp"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/ssl.hpp"
#include "boost/beast/websocket/teardown.hpp"
#include "client/src/deadline.hpp"
#include "flow/client.hpp"

// TCP with or without TLS, and waits that end.
namespace flow::client {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

// Bytes to and from a server, as Beast's algorithms want them.
class ByteStream {
 public:
  using executor_type = tcp::socket::executor_type;
  using Tls = asio::ssl::stream<tcp::socket>;

  explicit ByteStream(tcp::socket socket) : stream_(std::move(socket)) {}
  explicit ByteStream(Tls tls) : stream_(std::move(tls)) {}

  executor_type get_executor() { return socket().get_executor(); }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    std::visit([&](auto& each) { each.async_read_some(buffers, std::forward<Handler>(handler)); },
               stream_);
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    std::visit([&](auto& each) { each.async_write_some(buffers, std::forward<Handler>(handler)); },
               stream_);
  }

  tcp::socket& socket() {
    Tls* tls = std::get_if<Tls>(&stream_);
    return tls == nullptr ? std::get<tcp::socket>(stream_) : tls->next_layer();
  }
  Tls* tls() { return std::get_if<Tls>(&stream_); }
  void close() {
    error_code ignored;
    socket().close(ignored);
  }
  // Nothing has come that nobody asked for: no end, and no bytes.
  bool is_quiet();

 private:
  std::variant<tcp::socket, Tls> stream_;
};

// What Beast's WebSocket asks of a stream of somebody else's: how it ends.
template <class Handler>
void async_teardown(boost::beast::role_type, ByteStream& stream, Handler&& handler) {
  stream.close();
  asio::post(stream.get_executor(),
             boost::beast::bind_front_handler(std::forward<Handler>(handler), error_code()));
}
inline void teardown(boost::beast::role_type, ByteStream& stream, error_code& failure) {
  stream.close();
  failure = {};
}
inline void beast_close_socket(ByteStream& stream) { stream.close(); }

// Runs one asynchronous operation at a time to its end, or to a deadline. Confined to one thread at
// a time.
class TimedLoop {
 public:
  asio::io_context& context() { return context_; }

  // `start(handler)` starts an operation; the handler's first argument is its error_code.
  // asio::error::timed_out: it did not end in time, so `give_up()` was called, which must make it
  // end at once.
  template <class Start, class GiveUp>
  error_code run(Deadline deadline, Start start, GiveUp give_up) {
    std::optional<error_code> result;
    start([&result](error_code failure, const auto&...) { result = failure; });
    context_.restart();
    while (!result && context_.run_one_until(deadline) != 0) {
    }
    if (result) return *result;
    give_up();
    context_.restart();
    while (!result && context_.run_one() != 0) {
    }
    return asio::error::timed_out;
  }

 private:
  asio::io_context context_{1};
};

// A connection with the loop that drives it.
struct Link {
  // Connects, over TLS if `tls` is not null, and checks whom it got. UNAVAILABLE or
  // DEADLINE_EXCEEDED with the step that failed.
  static absl::StatusOr<std::unique_ptr<Link>> open(const ServerAddress& address,
                                                    const ClientOptions& options,
                                                    asio::ssl::context* tls, Deadline deadline);

  // One operation on the bytes. If it does not end in time they are closed.
  template <class Start>
  error_code run(Deadline deadline, Start start) {
    return loop.run(deadline, std::move(start), [this] { bytes->close(); });
  }

  TimedLoop loop;
  std::optional<ByteStream> bytes;  // always there once open() returned it
};

// Reads the files of TlsOptions and the system's authorities, which takes its time. Null for an
// address without TLS.
absl::StatusOr<std::unique_ptr<asio::ssl::context>> make_tls_context(const ServerAddress& address,
                                                                     const TlsOptions& options);

// UNAVAILABLE or DEADLINE_EXCEEDED: "connecting to localhost:80: Connection refused".
absl::Status link_error(error_code failure, std::string_view doing);

}  // namespace flow::client
