// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <unordered_set>

#include "absl/status/status.h"
#include "boost/asio/ip/tcp.hpp"
#include "core/log.hpp"
#include "core/net_address.hpp"
#include "gateway/front/service.hpp"
#include "gateway/net/connection.hpp"
#include "gateway/tls/tls_files.hpp"

namespace flow::gateway {

// The gateway's one port: accepts, and owns the connections that it accepted. Confined to its loop.
class Listener {
 public:
  Listener(Loop& loop, core::Logger log, const Front& front);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  // Of every connection from now on. `tls` stays valid as long as this.
  void use_tls(const TlsFiles& tls) { tls_ = &tls; }

  // Binds and listens; a host is an IP address or "localhost". Port 0: any free one.
  absl::Status listen(const core::NetAddress& address);
  std::uint16_t port() const { return port_; }

  // No new connections; the ones there are finish their requests. `on_drained` is called when the
  // last one is gone.
  void drain(std::function<void()> on_drained);

  void sweep(Clock::time_point now);

 private:
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp,
                                                      boost::asio::io_context::executor_type>;

  void accept();
  void admit(Socket socket);
  std::unique_ptr<Session> make_session(OutputSignal& output);

  Loop& loop_;
  core::Logger log_;
  const Front& front_;
  const TlsFiles* tls_ = nullptr;  // plain text
  Acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::function<void()> on_drained_;
  Alarms::Alarm accept_again_;
  bool full_ = false;
};

}  // namespace flow::gateway
