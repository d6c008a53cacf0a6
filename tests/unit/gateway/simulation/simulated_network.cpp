// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/gateway/simulation/simulated_network.hpp"

#include <algorithm>

#include "core/status.hpp"
#include "gtest/gtest.h"

namespace flow::gateway {

using namespace std::chrono_literals;

// ---- the gateway's end --------------------------------------------------------------------------

Clock::duration Wire::latency() {
  return !calm_ && chance_.percent(2) ? chance_.between(5ms, 100ms) : chance_.between(10us, 1ms);
}

void Wire::connect(std::shared_ptr<Peer> peer) {
  peer_ = std::move(peer);
  peer_->wires.push_back(shared_from_this());
  grpc_ = std::make_unique<GrpcPeer>(
      [this](GrpcPeer::Stream stream, std::string_view path, std::string framed) {
        peer_->on_request(*this, stream, path, std::move(framed), reading_sent_at_);
      });
  heard_at_ = Clock::now();
  session_ = events.on_connected(*this);
  output_ready();
}

void Wire::output_ready() {
  if (std::exchange(flush_pending_, true)) return;
  schedule_.in(0ns, [self = shared_from_this()] { self->flush_gateway(); });
}

void Wire::flush_gateway() {
  flush_pending_ = false;
  if (!session_) return;
  for (std::string out;; out.clear()) {
    session_->produce(out, std::size_t{1} << 20);
    if (out.empty()) break;
    to_process_at_ = std::max(to_process_at_, Clock::now() + latency());
    schedule_.at(to_process_at_, [self = shared_from_this(), out, sent_at = Clock::now()] {
      self->arrive(out, sent_at);
    });
  }
  if (session_->finished()) end("it ended the connection", false);
}

void Wire::end(const std::string& why, bool process_died) {
  if (!events.on_end) return;
  if (const auto session = std::exchange(session_, nullptr)) {
    session->disconnected(core::error(absl::StatusCode::kUnavailable, why));
  }
  const auto on_end = std::exchange(events, {}).on_end;
  if (on_end) on_end({why, process_died});
}

void Wire::drop() {
  events = {};
  if (const auto session = std::exchange(session_, nullptr)) {
    session->disconnected(core::error(absl::StatusCode::kUnavailable, "abandoned"));
    // Whoever drops it may have been called by it.
    schedule_.in(0ns, [session] {});
  }
  schedule_.in(latency(), [self = shared_from_this()] {
    self->grpc_.reset();
    if (self->peer_) std::erase(self->peer_->wires, self);
  });
}

void Wire::sweep(Clock::time_point now) {
  if (!session_) return;
  EXPECT_TRUE(session_->sweep(now).ok());
}

// ---- the process's end --------------------------------------------------------------------------

void Wire::arrive(std::string bytes, Clock::time_point sent_at) {
  if (!peer_->alive) return;
  if (peer_->stopped) {
    unread_.emplace_back(std::move(bytes), sent_at);
  } else {
    read(bytes, sent_at);
  }
}

void Wire::read(const std::string& bytes, Clock::time_point sent_at) {
  if (!grpc_) return;
  reading_sent_at_ = sent_at;
  EXPECT_TRUE(grpc_->receive(bytes)) << "the gateway breaks HTTP/2";
  flush_process();
}

void Wire::flush_process() {
  if (!grpc_ || !peer_->alive || peer_->stopped) return;
  const std::string out = grpc_->produce();
  if (out.empty()) return;
  to_gateway_at_ = std::max(to_gateway_at_, Clock::now() + latency());
  schedule_.at(to_gateway_at_, [self = shared_from_this(), out, serving = says_serving] {
    if (!self->session_ || self->in_flight_lost_) return;
    self->heard_at_ = Clock::now();
    self->told_serving_ = serving;
    const auto session = self->session_;
    EXPECT_TRUE(session->receive(out).ok());
    self->output_ready();
  });
}

void Wire::resume() {
  for (const auto& [bytes, sent_at] : std::exchange(unread_, {})) read(bytes, sent_at);
  flush_process();
}

void Wire::process_died(InFlight in_flight) {
  in_flight_lost_ = in_flight == InFlight::Lost;
  const Clock::time_point soon = Clock::now() + latency();
  // Its life lock tells of it, or its socket.
  schedule_.at(in_flight_lost_ ? soon : std::max(soon, to_gateway_at_),
               [self = shared_from_this(), lock = chance_.percent(50)] {
                 self->end(lock ? "the process died" : "connection reset by peer", lock);
               });
  schedule_.in(0ns, [self = shared_from_this()] { self->grpc_.reset(); });
}

// ---- the network --------------------------------------------------------------------------------

class SimulatedNetwork::SimulatedLink final : public Link {
 public:
  explicit SimulatedLink(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}
  ~SimulatedLink() override { wire_->drop(); }
  void sweep(Clock::time_point now) override { wire_->sweep(now); }

 private:
  const std::shared_ptr<Wire> wire_;
};

class SimulatedNetwork::SimulatedDialer final : public Dialer {
 public:
  explicit SimulatedDialer(SimulatedNetwork& network) : network_(network) {}
  std::unique_ptr<Link> dial(const std::string& name, const core::NetAddress& address,
                             Link::Events events) override {
    const auto wire = std::make_shared<Wire>(network_.schedule_, network_.chance_, network_.calm_);
    wire->events = std::move(events);
    network_.dial(name, address.unix_path, wire);
    return std::make_unique<SimulatedLink>(wire);
  }

 private:
  SimulatedNetwork& network_;
};

SimulatedNetwork::~SimulatedNetwork() {
  for (const auto& [path, peer] : peers_) peer->wires.clear();  // they own each other
}

std::unique_ptr<Dialer> SimulatedNetwork::make_dialer() {
  return std::make_unique<SimulatedDialer>(*this);
}

void SimulatedNetwork::dial(const std::string& name, const std::string& path,
                            const std::shared_ptr<Wire>& wire) {
  std::erase_if(wires_, [](const auto& weak) { return weak.expired(); });
  wires_.push_back(wire);
  schedule_.in(chance_.between(10us, 1ms), [this, name, path, wire] {
    if (!wire->events.on_connected) return;  // dropped meanwhile
    const auto peer = peers_.find(path);
    if (peer == peers_.end() || !peer->second->alive) {
      return wire->end("cannot connect to " + name + ": Connection refused", false);
    }
    wire->connect(peer->second);
  });
}

void SimulatedNetwork::kill(Peer& peer) {
  peer.alive = false;
  const auto in_flight = chance_.percent(50) ? Wire::InFlight::Arrives : Wire::InFlight::Lost;
  for (const auto& wire : std::exchange(peer.wires, {})) wire->process_died(in_flight);
}

void SimulatedNetwork::resume(Peer& peer) {
  peer.stopped = false;
  for (const auto& wire : std::vector(peer.wires)) wire->resume();
}

void SimulatedNetwork::break_wire(Peer& peer) {
  if (peer.wires.empty()) return;
  const auto wire = peer.wires[chance_.below(peer.wires.size())];
  std::erase(peer.wires, wire);
  wire->process_died(Wire::InFlight::Lost);
}

}  // namespace flow::gateway
