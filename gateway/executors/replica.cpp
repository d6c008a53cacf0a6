// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/replica.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"
#include "core/time_text.hpp"
#include "grpc/health/v1/health.pb.h"
#include "wire/grpc.hpp"

namespace flow::gateway {

namespace limits = core::limits;

namespace {

constexpr std::string_view kDiscoverPath = "/jina.JinaDiscoverEndpointsRPC/endpoint_discovery";
constexpr std::string_view kWatchPath = "/grpc.health.v1.Health/Watch";

template <typename Message>
bool parse(Message& message, std::string_view framed) {
  const std::string_view bytes = wire::payload(framed);
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
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

Replica::Replica(Loop& loop, Dialer& dialer, core::Logger log, Options options,
                 std::function<void()> on_change, OnDiscovered on_discovered)
    : loop_(loop),
      dialer_(dialer),
      log_(std::move(log)),
      options_(std::move(options)),
      name_(fmt::format("{}/rep-{}", options_.executor, options_.index)),
      on_change_(std::move(on_change)),
      on_discovered_(std::move(on_discovered)),
      liveness_(options_.health, now()),
      published_(liveness_.status()) {}

Replica::~Replica() {
  discover_.reset();
  watch_.reset();
  link_.reset();
}

Now Replica::now() { return {Clock::now(), Clock::wall()}; }

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
  if (session_ != nullptr) {
    retire();
  } else {
    link_.reset();
  }
}

void Replica::connect_soon(Clock::duration delay) {
  if (link_) return;
  connect_alarm_.set(loop_.alarms(), Clock::now() + delay, [this] { connect(); });
}

void Replica::connect() {
  if (released_ || link_ || !liveness_.worth_connecting()) return;
  link_ = dialer_.dial(address_name_, dial_,
                       {[this](OutputSignal& output) { return on_connected(output); },
                        [this](const Link::End& end) { on_disconnected(end); }});
}

std::unique_ptr<Session> Replica::on_connected(OutputSignal& output) {
  auto session = std::make_unique<Http2ClientSession>(
      output, dial_.is_unix() ? "localhost" : address_name_, options_.message_max, [this] {
        liveness_.heard(now());
        if (!session_->takes_calls()) retire();
        changed();
      });
  session_ = session.get();
  ++connections_;
  liveness_.connected(now());
  discover_ = std::make_unique<DiscoverCall>(*this);
  session_->call(*discover_, kDiscoverPath, wire::frame(""), std::nullopt);
  tick();
  changed();
  return session;
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

void Replica::on_disconnected(const Link::End& end) {
  discover_.reset();
  watch_.reset();
  session_ = nullptr;
  link_.reset();
  tick_alarm_.cancel();
  liveness_.disconnected(end.why, now());
  changed();
  // Not for ever and not only when announced: a replica that nobody supervises is tried again.
  connect_soon(end.process_died ? limits::kDeathDoubt : limits::kReconnectDelay);
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
  if (link_) link_->sweep(now);
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
