// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/executors/endpoints.hpp"
#include "gateway/front/service.hpp"
#include "gateway/services/deep_dry_run.hpp"
#include "gateway/services/http_data.hpp"
#include "gateway/services/http_pages.hpp"
#include "gateway/services/services.hpp"

namespace flow::gateway {

// What the gateway answers over plain HTTP, by path. Confined to its loop.
class Routes final : public HttpRoutes {
 public:
  // `endpoints` are those of the executors; all outlive this.
  Routes(ServiceContext& context, const Endpoints& endpoints, DeepDryRun& deep_dry_run);

  std::unique_ptr<HttpHandler> open(HttpRequest request, HttpExchange& exchange) override;

 private:
  // What may be done with a path that takes data.
  struct Data {
    std::vector<std::string_view> methods;
    HttpDataPath path;
    bool streams = false;  // GET answers with events
  };
  std::optional<Data> data_at(std::string_view path) const;

  ServiceContext& context_;
  const Endpoints& endpoints_;
  DeepDryRun& deep_dry_run_;
  HttpPages pages_;
};

}  // namespace flow::gateway
