// SPDX-License-Identifier: Apache-2.0
#include "host/executor/served_executor.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "core/status.hpp"

namespace flow::host {
namespace {

using namespace std::chrono_literals;

// What a stream that a client keeps open may delay the end of a drained server.
constexpr auto kStreamGrace = 50ms;

std::size_t workers_for(const ServedExecutorSpec& spec) {
  return worker_count(spec.table->flags, std::thread::hardware_concurrency());
}

std::unique_ptr<Faults> faults_of(const ServedExecutorSpec& spec) {
  if (!spec.fault.any()) return nullptr;
  return std::make_unique<Faults>(spec.fault, spec.identity.replica);
}

CrashSubject subject_of(const Identity& self, const CallPool& pool) {
  CrashSubject subject;
  subject.executor = self.name();
  subject.plugin = self.plugin.id();
  subject.version = self.plugin.version();
  subject.file = self.plugin_file;
  subject.build_id = self.build_id;
  subject.calls_of = &pool;
  subject.calls = [](const void* of, MarkedCall* to, std::size_t max) {
    return static_cast<const CallPool*>(of)->begun(to, max);
  };
  return subject;
}

}  // namespace

// Calls in hand are those that wait and those that work, be it in a worker or, with FLOW_ASYNC,
// anywhere: together they are the bound on what callers can pile up here.
ServedExecutor::ServedExecutor(ServedExecutorSpec spec, core::Logger logger)
    : spec_(std::move(spec)),
      logger_(std::move(logger)),
      subject_(subject_of(spec_.identity, pool_)),
      executor_(*spec_.table, spec_.config, logger_, faults_of(spec_), &subject_),
      pool_(core::limits::kCallsInHandMax, core::limits::kCallsAtRest, logger_),
      attendant_(executor_, spec_.health_interval,
                 [this](const absl::Status& health) { on_health(health); }),
      dispatcher_(executor_, attendant_, workers_for(spec_)),
      registration_(subject_),
      guard_({spec_.identity, executor_, pool_, attendant_, dispatcher_}, spec_.hang_budget,
             [this](const Hang& hang) { on_hang(hang); }) {}

ServedExecutor::~ServedExecutor() { stop(); }

absl::Status ServedExecutor::create() {
  if (spec_.fault.any()) {
    logger_->warn("misbehaves on purpose ([executors.fault]): {}", describe(spec_.fault));
  }
  return dispatcher_.start();
}

absl::Status ServedExecutor::listen() {
  const ServiceContext context{spec_.identity, pool_,           dispatcher_,
                               attendant_,     spec_.bytes_max, spec_.stream_stall};
  FLOW_ASSIGN_OR_RETURN(server_, ExecutorServer::start(context, spec_.listen));
  {
    const std::lock_guard lock(health_mutex_);
    listening_ = true;
  }
  publish_health();
  attendant_.start();
  return absl::OkStatus();
}

void ServedExecutor::on_health(const absl::Status& health) {
  {
    const std::lock_guard lock(health_mutex_);
    if (health.ok() == healthy_) return;
    healthy_ = health.ok();
  }
  if (health.ok()) {
    logger_->info("serving again");
  } else {
    logger_->warn("not serving: {}", core::message(health));
  }
  publish_health();
}

// Whoever can give the reason hears of it before our own health service, which can not.
void ServedExecutor::on_hang(const Hang& hang) {
  spec_.on_hang(hang);
  {
    const std::lock_guard lock(health_mutex_);
    hung_ = true;
  }
  publish_health();
}

void ServedExecutor::publish_health() {
  const std::lock_guard lock(health_mutex_);
  if (listening_) server_->set_serving(healthy_ && !stopping_ && !hung_);
}

void ServedExecutor::announce_stop() {
  {
    const std::lock_guard lock(health_mutex_);
    stopping_ = true;
  }
  publish_health();
}

bool ServedExecutor::drain(std::chrono::steady_clock::time_point deadline) {
  announce_stop();
  pool_.close();
  const auto left = std::max(deadline - std::chrono::steady_clock::now(), 0ns);
  const auto grace = std::min<std::chrono::nanoseconds>(core::limits::kStopGrace, left / 2);
  if (pool_.wait_until_idle(deadline - grace)) return true;
  logger_->warn("drain_timeout is nearly over: cancelling what is in hand ({})", pool_.in_use());
  stop_calls(CallOrigin::Stop::Ask);
  if (pool_.wait_until_idle(deadline - grace / 2)) return true;
  stop_calls(CallOrigin::Stop::Cut);
  return pool_.wait_until_idle(deadline);
}

void ServedExecutor::stop_calls(CallOrigin::Stop how) {
  pool_.for_each([&](Call& call) {
    if (call.stop(how)) attendant_.cancel(call);
  });
}

void ServedExecutor::stop() {
  attendant_.stop();  // it tells the server about the plugin's health
  {
    const std::lock_guard lock(health_mutex_);
    listening_ = false;
  }
  if (server_ != nullptr) server_->shut_down(kStreamGrace);
  dispatcher_.stop();
}

}  // namespace flow::host
