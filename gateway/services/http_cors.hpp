// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "gateway/front/service.hpp"

namespace flow::gateway {

// Lets web pages of any origin use what `inner` serves (`cors = true`): answers the question that a
// browser asks first, and marks the answers to pages. Others see no difference. As Starlette's
// CORSMiddleware does it, which is what the reference uses. Confined to its loop.
class Cors final : public HttpRoutes {
 public:
  explicit Cors(HttpRoutes& inner) : inner_(inner) {}

  std::unique_ptr<HttpHandler> open(HttpRequest request, HttpExchange& exchange) override;

 private:
  HttpRoutes& inner_;
};

}  // namespace flow::gateway
