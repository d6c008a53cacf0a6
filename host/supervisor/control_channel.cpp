// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/control_channel.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "core/limits.hpp"

namespace flow::host {
namespace {

// A tag and a length of up to three bytes.
constexpr std::size_t kFieldOverhead = 4;

flow::v1::ReplicaState state_of(core::ReplicaState state) {
  switch (state) {
    case core::ReplicaState::Starting:
      return flow::v1::STARTING;
    case core::ReplicaState::Ready:
      return flow::v1::READY;
    case core::ReplicaState::Hung:
      return flow::v1::HUNG;
    case core::ReplicaState::Draining:
      return flow::v1::DRAINING;
    case core::ReplicaState::Backoff:
      return flow::v1::BACKOFF;
    case core::ReplicaState::Failed:
      return flow::v1::FAILED;
    case core::ReplicaState::Unreachable:
      return flow::v1::UNREACHABLE;
    case core::ReplicaState::Unhealthy:
      return flow::v1::UNHEALTHY;
  }
  return flow::v1::REPLICA_STATE_UNSPECIFIED;
}

// The first of them, if they are more than a packet has room for.
void add_lines(const std::vector<std::string>& lines,
               google::protobuf::RepeatedPtrField<std::string>& to) {
  std::size_t bytes = 0;
  for (const std::string& line : lines) {
    bytes += line.size() + kFieldOverhead;
    if (bytes > core::limits::kStackBytesMax) return;
    to.Add(std::string(line));
  }
}

}  // namespace

flow::v1::ReplicaUpdate replica_update(const core::FlowConfig& config, const ReplicaPlan& plan,
                                       const ReplicaStatus& status) {
  using std::chrono::nanoseconds;
  using std::chrono::seconds;
  flow::v1::ReplicaUpdate update;
  update.set_executor(config.executors[plan.executor].name);
  update.set_replica(plan.replica);
  update.set_pid(status.pid);
  update.set_state(state_of(status.state));
  update.set_reason(status.reason);
  const auto since = status.since.time_since_epoch();
  const auto whole = std::chrono::floor<seconds>(since);
  update.mutable_since()->set_seconds(whole.count());
  update.mutable_since()->set_nanos(static_cast<std::int32_t>(nanoseconds(since - whole).count()));
  update.set_tcp_address(plan.tcp_address);
  update.set_unix_path(plan.unix_path);
  add_lines(status.stacks, *update.mutable_stacks());
  update.set_note(status.note);
  if (status.ended.pid != 0) {
    update.mutable_ended()->set_pid(status.ended.pid);
    update.mutable_ended()->set_cause(status.ended.cause);
    add_lines(status.ended.stacks, *update.mutable_ended()->mutable_stacks());
  }
  if (status.successor != 0) {
    update.mutable_successor()->set_pid(status.successor);
    update.mutable_successor()->set_unix_path(plan.beside_path);
  }
  return update;
}

ControlChannel::ControlChannel(const boost::asio::any_io_executor& loop, core::UniqueFd socket,
                               std::size_t replicas, Packet packet)
    : socket_(loop, socket.release()), packet_(std::move(packet)) {
  for (std::size_t i = 0; i < replicas; ++i) untold_.insert(i);
  flush();
}

void ControlChannel::changed(std::size_t replica) {
  untold_.insert(replica);
  flush();
}

void ControlChannel::flush() {
  while (!waiting_ && !untold_.empty()) {
    const std::string packet = packet_(*untold_.begin());
    const ssize_t sent =
        ::send(socket_.native_handle(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      untold_.erase(untold_.begin());
    } else if (errno == EAGAIN) {
      wait_until_it_reads();
    } else if (errno != EINTR) {
      untold_.clear();  // the gateway is gone; its pidfd says so, and the next one hears everything
    }
  }
}

void ControlChannel::wait_until_it_reads() {
  waiting_ = true;
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                     [this, alive = std::weak_ptr(alive_)](boost::system::error_code failure) {
                       if (failure || alive.expired()) return;
                       waiting_ = false;
                       flush();
                     });
}

}  // namespace flow::host
