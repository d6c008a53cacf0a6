// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/replica.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <utility>

#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/local/stream_protocol.hpp"
#include "core/limits.hpp"
#include "core/time_text.hpp"
#include "grpc/health/v1/health.pb.h"
#include "wire/grpc.hpp"

namespace flow::gateway {

namespace asio = boost::asio;
namespace limits = core::limits;
using boost::system::error_code;

namespace {

constexpr std::string_view kDiscoverPath = "/jina.JinaDiscoverEndpointsRPC/endpoint_discovery";
constexpr std::string_view kWatchPath = "/grpc.health.v1.Health/Watch";

template <typename Message>
bool parse(Message& message, std::string_view framed) {
  const std::string_view bytes = wire::payload(framed);
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

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

}  // namespace

// Which endpoints does it serve? Asked before its health, so that a replica that is ready is also
// known. One that does not understand the question is taken to serve everything.
class Replica::DiscoverCall final : public ClientCall {
 public:
  explicit DiscoverCall(Replica& replica) : replica_(replica) {}

 private:
  void on_reply(std::string framed) override {
    if (!parse(endpoints_, framed)) endpoints_.Clear();
  }
  void on_done(const absl::Status& status) override {
    if (status.code() == absl::StatusCode::kUnavailable) return;  // the connection is lost
    replica_.on_discovered(endpoints_);
  }

  Replica& replica_;
  jina::EndpointsProto endpoints_;
};

// Its own word on its health, pushed whenever it changes.
class Replica::WatchCall final : public ClientCall {
 public:
  explicit WatchCall(Replica& replica) : replica_(replica) {}

 private:
  void on_reply(std::string framed) override {
    grpc::health::v1::HealthCheckResponse answer;
    if (!parse(answer, framed)) return;
    said(answer.status() == grpc::health::v1::HealthCheckResponse::SERVING
             ? Liveness::Health::Serving
             : Liveness::Health::NotServing);
  }
  void on_done(const absl::Status& status) override {
    if (status.code() == absl::StatusCode::kUnavailable) return;  // the connection is lost
    // An executor without a health service is as good as its connection.
    said(status.code() == absl::StatusCode::kUnimplemented ? Liveness::Health::Serving
                                                           : Liveness::Health::NotServing);
  }
  void said(Liveness::Health health) {
    replica_.liveness_.health(health, now());
    replica_.changed();
  }

  Replica& replica_;
};

Replica::Replica(Loop& loop, DeathWatch& deaths, core::Logger log, Options options,
                 std::function<void()> on_change, OnDiscovered on_discovered)
    : loop_(loop),
      deaths_(deaths),
      log_(std::move(log)),
      options_(std::move(options)),
      name_(fmt::format("{}/rep-{}", options_.executor, options_.index)),
      on_change_(std::move(on_change)),
      on_discovered_(std::move(on_discovered)),
      liveness_(options_.health, now()),
      published_(liveness_.status()) {}

Replica::~Replica() {
  *alive_ = nullptr;
  discover_.reset();
  watch_.reset();
  if (connection_) connection_->abandon();
}

Now Replica::now() { return {Clock::now(), std::chrono::system_clock::now()}; }

ReplicaView Replica::view() const {
  ReplicaView view{name_, address_name_, liveness_.status()};
  if (!note_.empty() && view.status.state == core::ReplicaState::Ready) view.status.reason = note_;
  return view;
}

bool Replica::coming_back() const {
  switch (liveness_.status().state) {
    case core::ReplicaState::Starting:
    case core::ReplicaState::Backoff:
      return true;
    case core::ReplicaState::Ready:
    case core::ReplicaState::Unreachable:
      // Its connection broke just now, the supervisor is about to say more.
      return supervised_;
    default:
      return false;
  }
}

const ProcessEnd* Replica::end_of(std::int64_t pid) const {
  const auto found = std::ranges::find(ends_, pid, &ProcessEnd::pid);
  return found == ends_.end() ? nullptr : &*found;
}

void Replica::set_note(std::string note) {
  if (note == note_) return;
  note_ = std::move(note);
  on_change_();
}

void Replica::set_address(const std::string& name, const core::NetAddress& dial) {
  if (name == address_name_ && dial == dial_) return;
  address_name_ = name;
  dial_ = dial;
  log_->debug("adding connection for deployment {}/heads/{} to grpc://{}", options_.executor,
              options_.index, address_name_);
  connect_soon(Clock::duration::zero());
}

void Replica::update(const flow::v1::ReplicaUpdate& update) {
  core::NetAddress dial{.unix_path = update.unix_path()};
  if (!dial.is_unix()) {
    if (const auto address = core::parse_address(update.tcp_address()); address.ok()) {
      dial = *address;
    }
  }
  const auto seconds = std::chrono::seconds(update.since().seconds());
  const auto nanos = std::chrono::nanoseconds(update.since().nanos());
  const ReplicaStatus word = {
      static_cast<core::ReplicaState>(update.state() - 1),
      std::chrono::system_clock::time_point(
          std::chrono::duration_cast<std::chrono::system_clock::duration>(seconds + nanos)),
      update.reason(),
      update.pid(),
      {update.stacks().begin(), update.stacks().end()},
      update.note()};
  stats_.process(update.pid());
  supervised_ = true;
  if (update.has_ended()) remember(update.ended());
  liveness_.supervised(word, now());
  set_address(update.tcp_address(), dial);
  if (liveness_.worth_connecting()) connect_soon(Clock::duration::zero());
  changed();
}

void Replica::remember(const flow::v1::EndedProcess& ended) {
  if (end_of(ended.pid()) != nullptr) return;
  ends_.push_back({ended.pid(), ended.cause(), {ended.stacks().begin(), ended.stacks().end()}});
  if (ends_.size() > limits::kEndsRemembered) ends_.pop_front();
}

void Replica::set_quiet(bool quiet) {
  quiet_ = quiet;
  if (!quiet_ && discovered_) on_discovered_(*discovered_);
}

void Replica::release() {
  quiet_ = true;
  released_ = true;
  connect_alarm_.cancel();
  if (session_ != nullptr) retire();
}

void Replica::connect_soon(Clock::duration delay) {
  if (connection_ || connecting_) return;
  connect_alarm_.set(loop_.alarms(), Clock::now() + delay, [this] { connect(); });
}

void Replica::connect() {
  if (released_ || connection_ || connecting_ || !liveness_.worth_connecting()) return;
  error_code error;
  const auto endpoint = endpoint_of(dial_, error);
  if (error)
    return on_disconnected(fmt::format("cannot dial {}: {}", address_name_, error.message()));
  connecting_ = std::make_shared<Socket>(loop_.io());
  // Its handler runs in any case; the alarm only hurries it.
  connect_alarm_.set(loop_.alarms(), Clock::now() + limits::kConnectTimeout, [this] {
    error_code ignored;
    if (connecting_) connecting_->close(ignored);
  });
  connecting_->async_connect(
      endpoint, [alive = alive_, socket = connecting_](const error_code& failed) {
        Replica* self = *alive;
        if (self == nullptr || self->released_) return;
        self->connect_alarm_.cancel();
        self->connecting_.reset();
        if (failed) {
          return self->on_disconnected(fmt::format(
              "cannot connect to {}: {}", self->address_name_,
              failed == asio::error::operation_aborted ? "timed out" : failed.message()));
        }
        self->on_connected(std::move(*socket));
      });
}

void Replica::on_connected(Socket socket) {
  error_code ignored;  // non-blocking is what asio has made it already
  socket.native_non_blocking(true, ignored);
  if (!dial_.is_unix()) socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (dial_.is_unix()) {
    death_ = deaths_.watch(dial_.unix_path, socket.native_handle(), [this] { on_died(); });
  }
  connection_ = std::make_shared<Connection>(loop_, std::move(socket));
  auto session = std::make_unique<Http2ClientSession>(
      *connection_, dial_.is_unix() ? "localhost" : address_name_, options_.message_max, [this] {
        liveness_.heard(now());
        if (!session_->takes_calls()) retire();
        changed();
      });
  session_ = session.get();
  ++connections_;
  connection_->start(std::move(session), [alive = alive_](const absl::Status& why) {
    if (Replica* self = *alive) {
      self->on_disconnected(why.ok() ? "it ended the connection"
                                     : fmt::format("connection lost: {}", core::message(why)));
    }
  });
  liveness_.connected(now());
  discover_ = std::make_unique<DiscoverCall>(*this);
  session_->call(*discover_, kDiscoverPath, wire::frame(""), std::nullopt);
  tick();
  changed();
}

void Replica::on_discovered(const jina::EndpointsProto& endpoints) {
  discovered_ = endpoints;
  if (!quiet_) on_discovered_(endpoints);
  watch_ = std::make_unique<WatchCall>(*this);
  session_->call(*watch_, kWatchPath, wire::frame(""), std::nullopt);
}

void Replica::retire() {
  if (!discover_ && !watch_) return;  // it is already
  discover_.reset();
  watch_.reset();
  session_->drain();
  tick_alarm_.cancel();
  liveness_.disconnected("it ends the connection", now());
}

void Replica::on_disconnected(const std::string& why) {
  discover_.reset();
  watch_.reset();
  death_.reset();
  session_ = nullptr;
  connection_.reset();
  tick_alarm_.cancel();
  liveness_.disconnected(why, now());
  changed();
  // Not for ever and not only when announced: a replica that nobody supervises is tried again.
  connect_soon(std::exchange(died_, false) ? limits::kDeathDoubt : limits::kReconnectDelay);
}

void Replica::on_died() {
  died_ = true;
  connection_->close_after_reading(
      core::error(absl::StatusCode::kUnavailable, "the process died (its life lock was released)"));
}

void Replica::call(ClientCall& call, std::string_view path, std::string framed,
                   std::optional<std::chrono::nanoseconds> timeout) {
  session_->call(call, path, std::move(framed), timeout);
}

void Replica::tick() {
  const Now moment = now();
  if (liveness_.tick(moment) && session_ != nullptr) session_->ping();
  changed();
  if (const auto next = liveness_.next_tick()) {
    tick_alarm_.set(loop_.alarms(), *next, [this] { tick(); });
  }
}

void Replica::sweep(Clock::time_point now) {
  if (connection_) connection_->sweep(now);
}

void Replica::changed() {
  const ReplicaStatus& status = liveness_.status();
  if (status == published_) return;
  if (status.state != published_.state && !quiet_) {
    log_->info("{} is {} (was {}): {}", name_, core::name(status.state),
               core::name(published_.state), status.reason);
  }
  published_ = status;
  on_change_();
}

}  // namespace flow::gateway
