// SPDX-License-Identifier: Apache-2.0
#include "gateway/run.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>

#include "boost/asio/posix/stream_descriptor.hpp"
#include "boost/asio/signal_set.hpp"
#include "core/limits.hpp"
#include "core/log.hpp"
#include "core/notify.hpp"
#include "core/status.hpp"
#include "core/version.hpp"
#include "fmt/format.h"
#include "gateway/executors/executors.hpp"
#include "gateway/front/listener.hpp"
#include "gateway/readiness/readiness.hpp"
#include "gateway/services/deep_dry_run.hpp"
#include "gateway/services/http_cors.hpp"
#include "gateway/services/http_routes.hpp"
#include "gateway/services/services.hpp"
#include "gateway/services/websockets.hpp"
#include "gateway/tls/tls_files.hpp"

namespace flow::gateway {

namespace asio = boost::asio;
namespace limits = core::limits;
using boost::system::error_code;

namespace {

// Every connection is a descriptor: take what the system grants.
void raise_descriptor_limit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// 32 hexadecimal digits, as clients make them.
class RequestIds {
 public:
  RequestIds() {
    std::random_device seed;
    std::seed_seq sequence{seed(), seed(), seed(), seed()};
    random_.seed(sequence);
  }
  std::string next() { return fmt::format("{:016x}{:016x}", random_(), random_()); }

 private:
  std::mt19937_64 random_;
};

// The gateway's object graph; members in the order in which they depend on each other. Confined to
// its loop.
class Gateway {
 public:
  Gateway(const core::FlowConfig& config, core::Logger log, const core::Notifier& notifier)
      : config_(config),
        log_(std::move(log)),
        notifier_(notifier),
        executors_(loop_, log_, config_, [this] { publish(); }),
        readiness_(executors_.view(draining_)),
        context_{loop_,
                 config_,
                 executors_,
                 readiness_,
                 {executors_.names(),
                  [this](std::size_t executor, std::string_view endpoint) {
                    return executors_.endpoints().serves(executor, endpoint);
                  },
                  [this] { return request_ids_.next(); }}},
        deep_dry_run_(context_),
        services_(context_, deep_dry_run_),
        routes_(context_, executors_.endpoints(), deep_dry_run_),
        cors_(routes_),
        websockets_(context_),
        front_{services_, config_.gateway.cors ? static_cast<HttpRoutes&>(cors_) : routes_,
               config_.gateway.max_message,
               config_.gateway.protocols.websocket ? &websockets_ : nullptr},
        listener_(loop_, log_, front_),
        signals_(loop_.io(), SIGTERM, SIGINT),
        control_(loop_.io()) {}

  absl::Status start(const core::NetAddress& address) {
    raise_descriptor_limit();
    executors_.on_handover([this](const Executors::HandoverReport& report) {
      const auto key = report.outcome.ok() ? core::notify_key::kMoved : core::notify_key::kRefused;
      notifier_.send({{std::string(key), fmt::format("{} {} {}", report.replica, report.pid,
                                                     core::message(report.outcome))}});
    });
    if (const char* descriptor = std::getenv("FLOW_CONTROL_FD")) {
      FLOW_RETURN_IF_ERROR(follow_control(descriptor));
    } else {
      FLOW_RETURN_IF_ERROR(executors_.use_configured_addresses(config_));
    }
    FLOW_RETURN_IF_ERROR(use_tls());
    FLOW_RETURN_IF_ERROR(listener_.listen(address));
    log_->debug("start server bound to {}:{}", address.host, listener_.port());
    wait_for_signal();
    sweep();
    notifier_.send({{"READY", "1"}});
    log_->debug("ready and listening");
    tell_verdict();
    return absl::OkStatus();
  }

  int run() {
    loop_.io().run();
    return exit_status_;
  }

 private:
  // ---- readiness ----------------------------------------------------------------------------

  void publish() {
    // The reason, too: at first only the connection is known to be lost, then why.
    const std::string before = readiness_.verdict().reason;
    const bool was_ready = readiness_.verdict().ready;
    readiness_.publish(executors_.view(draining_));
    const Verdict& verdict = readiness_.verdict();
    if (verdict.ready != was_ready || verdict.reason != before) tell_verdict();
  }

  void tell_verdict() {
    const Verdict& verdict = readiness_.verdict();
    notifier_.send({{std::string(core::notify_key::kFlowReady), verdict.ready ? "1" : "0"},
                    {"STATUS", verdict.ready ? "ready" : verdict.reason}});
  }

  // ---- TLS ----------------------------------------------------------------------------------

  absl::Status use_tls() {
    if (!config_.gateway.tls) return absl::OkStatus();
    FLOW_ASSIGN_OR_RETURN(tls_, TlsFiles::load(config_));
    if (!tls_->warning().empty()) log_->warn("{}", tls_->warning());
    listener_.use_tls(*tls_);
    return absl::OkStatus();
  }

  void refresh_tls() {
    if (!tls_) return;
    const absl::StatusOr<bool> renewed = tls_->refresh();
    if (!renewed.ok()) {
      log_->warn("the files of TLS changed, the old ones stay in use: {}",
                 core::message(renewed.status()));
    } else if (*renewed) {
      log_->info("the files of TLS changed: new connections get the new ones");
      if (!tls_->warning().empty()) log_->warn("{}", tls_->warning());
    }
  }

  // ---- flow-host ----------------------------------------------------------------------------

  absl::Status follow_control(std::string_view text) {
    int descriptor = -1;
    const auto [end, bad] = std::from_chars(text.begin(), text.end(), descriptor);
    if (bad != std::errc() || end != text.end() || ::fcntl(descriptor, F_GETFD) < 0) {
      return core::error(absl::StatusCode::kInvalidArgument,
                         fmt::format("FLOW_CONTROL_FD is \"{}\", expected an open descriptor: it "
                                     "is for flow-host to set",
                                     text));
    }
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    control_.assign(descriptor);
    wait_for_control();
    return absl::OkStatus();
  }

  void wait_for_control() {
    control_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const error_code& error) {
      if (!error) read_control();
    });
  }

  void read_control() {
    std::array<char, core::kControlPacketMax> packet;
    for (;;) {
      const ssize_t size =
          ::recv(control_.native_handle(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_TRUNC);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return wait_for_control();
      if (size <= 0) {
        log_->error("flow-host is gone; stopping");
        exit_status_ = 1;
        return loop_.io().stop();
      }
      flow::v1::ReplicaUpdate update;
      if (static_cast<std::size_t>(size) > packet.size()) {
        log_->error("flow-host sent a packet of {} bytes, {} are the most", size, packet.size());
        continue;
      }
      if (!update.ParseFromArray(packet.data(), static_cast<int>(size)) || update.state() == 0) {
        log_->error("flow-host sent a packet of {} bytes that is no ReplicaUpdate", size);
        continue;
      }
      executors_.update(update);
    }
  }

  // ---- the end ------------------------------------------------------------------------------

  void wait_for_signal() {
    signals_.async_wait([this](const error_code& error, int signal) {
      if (error) return;
      if (draining_) {
        exit_status_ = 128 + signal;
        return loop_.io().stop();
      }
      wait_for_signal();
      drain();
    });
  }

  void drain() {
    // Not ready first: whoever asks before sending stops sending before we stop taking.
    draining_ = true;
    notifier_.send({{"STOPPING", "1"}});
    publish();
    lame_duck_.set(loop_.alarms(), Clock::now() + config_.supervise.lame_duck, [this] {
      log_->debug("draining");
      drain_timeout_.set(loop_.alarms(), Clock::now() + config_.supervise.drain_timeout, [this] {
        log_->warn("requests were still in flight after {} s; stopping",
                   config_.supervise.drain_timeout / std::chrono::seconds(1));
        loop_.io().stop();
      });
      listener_.drain([this] { loop_.io().stop(); });
    });
  }

  void sweep() {
    const Clock::time_point now = Clock::now();
    listener_.sweep(now);
    executors_.sweep(now);
    refresh_tls();
    sweep_.set(loop_.alarms(), now + limits::kSweepInterval, [this] { sweep(); });
  }

  const core::FlowConfig& config_;
  core::Logger log_;
  const core::Notifier& notifier_;
  RequestIds request_ids_;
  bool draining_ = false;
  int exit_status_ = 0;
  Loop loop_;
  Executors executors_;
  Readiness readiness_;
  ServiceContext context_;
  DeepDryRun deep_dry_run_;
  Services services_;
  Routes routes_;
  Cors cors_;
  WebSocketServices websockets_;
  Front front_;
  std::unique_ptr<TlsFiles> tls_;
  Listener listener_;
  asio::signal_set signals_;
  asio::posix::stream_descriptor control_;
  Alarms::Alarm sweep_;
  Alarms::Alarm lame_duck_;
  Alarms::Alarm drain_timeout_;
};

}  // namespace

int run_gateway(const core::FlowConfig& config, const core::NetAddress& listen) {
  const auto log_config = core::effective_log_config(config.log, core::process_environment());
  if (!log_config.ok()) {
    fmt::print(stderr, "error: {}\n", core::message(log_config.status()));
    return 1;
  }
  const core::Logger log = core::make_logger("gateway/rep-0", *log_config);
  if (const absl::Status status = core::follow_supervisor(); !status.ok()) {
    log->error("{}", core::message(status));
    return 1;
  }
  const core::Notifier notifier;
  Gateway gateway(config, log, notifier);
  if (const absl::Status status = gateway.start(listen); !status.ok()) {
    log->error("{}", core::message(status));
    notifier.send({{std::string(core::notify_key::kFailure), std::string(core::message(status))}});
    return 1;
  }
  return gateway.run();
}

}  // namespace flow::gateway
