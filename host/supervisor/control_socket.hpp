// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "boost/asio/any_io_executor.hpp"
#include "boost/asio/posix/stream_descriptor.hpp"
#include "core/unique_fd.hpp"
#include "flow/v1/supervisor.pb.h"

namespace flow::host {

// Where flowctl asks a running flow-host to do something: a Unix socket in its runtime folder. Only
// its own user, and root, are listened to: both the folder's mode and the kernel's word on who asks
// see to that. Bounded: kControlClientsMax ask at a time, and who does not read his answers is cut
// off. Confined to its loop.
class ControlSocket {
 public:
  using Client = std::uint64_t;
  using Asked = std::function<void(Client, const flow::v1::SupervisorRequest&)>;

  ControlSocket(const boost::asio::any_io_executor& loop, Asked asked);
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;
  ~ControlSocket();

  absl::Status listen(const std::string& path);
  // Nothing if the client has left; hangs up after the last one.
  void answer(Client client, const flow::v1::SupervisorAnswer& answer);

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;

  void wait_for_client();
  void accept();
  void wait_for_request(Client client);
  void read(Client client);

  const boost::asio::any_io_executor loop_;
  const Asked asked_;
  Descriptor listener_;
  std::map<Client, std::unique_ptr<Descriptor>> clients_;
  Client last_client_ = 0;
};

}  // namespace flow::host
