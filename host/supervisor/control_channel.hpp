// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "boost/asio/any_io_executor.hpp"
#include "boost/asio/posix/stream_descriptor.hpp"
#include "core/unique_fd.hpp"
#include "flow/v1/control.pb.h"
#include "host/supervisor/flow_plan.hpp"
#include "host/supervisor/flow_state.hpp"

namespace flow::host {

// What the gateway is told about one replica.
flow::v1::ReplicaUpdate replica_update(const core::FlowConfig& config, const ReplicaPlan& plan,
                                       const ReplicaStatus& status);

// Tells one gateway process about replicas, over our end of a SOCK_SEQPACKET pair: all of them at
// once, then each that changes. What is kept for a gateway that does not read is which replicas it
// has yet to hear of, not what was said, so it is bounded and never out of date. Confined to its
// loop.
class ControlChannel {
 public:
  using Packet = std::function<std::string(std::size_t replica)>;  // as it stands now

  ControlChannel(const boost::asio::any_io_executor& loop, core::UniqueFd socket,
                 std::size_t replicas, Packet packet);
  ControlChannel(const ControlChannel&) = delete;
  ControlChannel& operator=(const ControlChannel&) = delete;

  void changed(std::size_t replica);

 private:
  void flush();
  void wait_until_it_reads();

  boost::asio::posix::stream_descriptor socket_;
  Packet packet_;
  std::set<std::size_t> untold_;
  bool waiting_ = false;
  // Owned by this alone; handlers that are queued when this goes hold weak ones.
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace flow::host
