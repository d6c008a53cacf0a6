// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/log.hpp"
#include "fmt/format.h"
#include "gateway/services/deep_dry_run.hpp"
#include "gateway/services/services.hpp"

namespace flow::gateway {

// A Flow without executors: every request is answered at once, with itself.
struct EmptyFlow {
  Loop loop;
  core::FlowConfig config;
  Executors executors{loop, core::make_logger("test", {.level = "off"}), config, [] {}};
  Readiness readiness{executors.view(false)};
  int ids = 0;
  ServiceContext context{loop,
                         config,
                         executors,
                         readiness,
                         {executors.names(), [](std::size_t, std::string_view) { return true; },
                          [this] { return fmt::format("id{}", ++ids); }}};
  DeepDryRun deep_dry_run{context};
};

// A gRPC call that keeps what it is told.
class FakeCall final : public GrpcCall {
 public:
  void send(std::string framed) override { sent.push_back(std::move(framed)); }
  void finish(const absl::Status& status) override { finished.push_back(status); }
  void input_wanted() override { ++wanted; }
  std::optional<Clock::time_point> deadline() const override { return until; }
  const HeaderFields& metadata() const override { return fields; }
  std::size_t unsent() const override { return 0; }
  bool hold(std::uint64_t bytes) override {
    if (held + bytes > held_max) return false;
    held += bytes;
    return true;
  }
  void let_go(std::uint64_t bytes) override { held -= bytes; }

  HeaderFields fields;
  std::vector<std::string> sent;
  std::vector<absl::Status> finished;
  std::optional<Clock::time_point> until;
  int wanted = 0;
  std::uint64_t held = 0;
  std::uint64_t held_max = 1 << 30;
};

}  // namespace flow::gateway
