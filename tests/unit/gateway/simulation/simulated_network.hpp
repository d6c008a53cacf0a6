// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/executors/link.hpp"
#include "tests/unit/gateway/simulation/grpc_peer.hpp"
#include "tests/unit/gateway/simulation/virtual_time.hpp"

namespace flow::gateway {

// Everything that is left to chance in a history.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool percent(std::uint64_t share) { return below(100) < share; }
  Clock::duration between(Clock::duration least, Clock::duration most) {
    const auto span = static_cast<std::uint64_t>((most - least).count());
    return least + Clock::duration(below(span + 1));
  }

 private:
  std::mt19937_64 random_;
};

class Wire;

// A process as the network knows it.
struct Peer {
  pid_t pid = 0;
  bool alive = true;
  bool stopped = false;  // SIGSTOP: it can be dialled, and reads nothing
  std::vector<std::shared_ptr<Wire>> wires;
  // `sent_at` is when the gateway handed the request to its connection.
  std::function<void(Wire& wire, GrpcPeer::Stream stream, std::string_view path, std::string framed,
                     Clock::time_point sent_at)>
      on_request;
};

// One connection between the gateway and a process: bytes arrive late, and in order, until it
// breaks.
class Wire final : public OutputSignal, public std::enable_shared_from_this<Wire> {
 public:
  Wire(Schedule& schedule, Chance& chance, const bool& calm)
      : schedule_(schedule), chance_(chance), calm_(calm) {}

  // ---- the gateway's end
  void connect(std::shared_ptr<Peer> peer);
  void output_ready() override;
  void end(const std::string& why, bool process_died);  // the gateway hears of it
  void drop();                                          // the gateway ends it
  void sweep(Clock::time_point now);

  // ---- the process's end
  // nullptr once the connection is gone.
  GrpcPeer* grpc() { return grpc_.get(); }
  void flush_process();
  void resume();
  enum class InFlight { Arrives, Lost };
  void process_died(InFlight in_flight);

  // ---- what the gateway has been told over it
  bool stands() const { return session_ != nullptr; }
  const Peer& peer() const { return *peer_; }
  Clock::time_point heard_at() const { return heard_at_; }
  bool told_serving() const { return told_serving_; }

  Link::Events events;                    // of its link; empty once that is gone
  std::optional<GrpcPeer::Stream> watch;  // who wants to hear of the process's health
  bool says_serving = false;              // what was said to him last

 private:
  void flush_gateway();
  void arrive(std::string bytes, Clock::time_point sent_at);
  void read(const std::string& bytes, Clock::time_point sent_at);
  Clock::duration latency();

  Schedule& schedule_;
  Chance& chance_;
  const bool& calm_;
  std::shared_ptr<Session> session_;
  std::shared_ptr<Peer> peer_;
  std::unique_ptr<GrpcPeer> grpc_;
  bool flush_pending_ = false;
  bool in_flight_lost_ = false;
  Clock::time_point to_process_at_;  // when what was sent last arrives
  Clock::time_point to_gateway_at_;
  std::vector<std::pair<std::string, Clock::time_point>> unread_;  // by a process that is stopped
  Clock::time_point reading_sent_at_;
  Clock::time_point heard_at_;
  bool told_serving_ = false;
};

// The processes that can be dialled, by the paths of their sockets.
class SimulatedNetwork {
 public:
  SimulatedNetwork(Schedule& schedule, Chance& chance) : schedule_(schedule), chance_(chance) {}
  SimulatedNetwork(const SimulatedNetwork&) = delete;
  SimulatedNetwork& operator=(const SimulatedNetwork&) = delete;
  ~SimulatedNetwork();

  std::unique_ptr<Dialer> make_dialer();
  void listen(const std::string& path, std::shared_ptr<Peer> peer) { peers_[path] = peer; }
  void kill(Peer& peer);
  void resume(Peer& peer);
  // One that nobody stops talks no more: as a proxy, or a cable, ends it.
  void break_wire(Peer& peer);
  // From now on nothing takes long.
  void calm_down() { calm_ = true; }
  // Every connection that stands, as the gateway sees it.
  template <typename Visitor>
  void for_each_standing(Visitor&& visit) const {
    for (const std::weak_ptr<Wire>& weak : wires_) {
      if (const auto wire = weak.lock(); wire && wire->stands()) visit(*wire);
    }
  }

 private:
  class SimulatedLink;
  class SimulatedDialer;
  void dial(const std::string& name, const std::string& path, const std::shared_ptr<Wire>& wire);

  Schedule& schedule_;
  Chance& chance_;
  bool calm_ = false;
  std::map<std::string, std::shared_ptr<Peer>> peers_;
  std::vector<std::weak_ptr<Wire>> wires_;
};

}  // namespace flow::gateway
