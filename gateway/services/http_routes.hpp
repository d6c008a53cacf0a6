// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "core/config.hpp"
#include "gateway/front/service.hpp"
#include "gateway/readiness/readiness.hpp"
#include "gateway/services/deep_dry_run.hpp"

namespace flow::gateway {

// What the gateway answers over plain HTTP. Confined to its loop.
class Routes final : public HttpRoutes {
 public:
  // `report` makes what GET /executors answers.
  Routes(const core::GatewayConfig& config, const Readiness& readiness, DeepDryRun& deep_dry_run,
         std::function<std::string()> report)
      : config_(config),
        readiness_(readiness),
        deep_dry_run_(deep_dry_run),
        report_(std::move(report)) {}

  std::unique_ptr<HttpHandler> open(HttpRequest request, HttpExchange& exchange) override;

 private:
  HttpResponse answer(const HttpRequest& request) const;

  const core::GatewayConfig& config_;
  const Readiness& readiness_;
  DeepDryRun& deep_dry_run_;
  const std::function<std::string()> report_;
};

}  // namespace flow::gateway
