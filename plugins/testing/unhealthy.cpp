// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <atomic>

class Unhealthy {
 public:
  void process(flow::Request& request) { router_(*this, request); }

  void health() const {
    if (sick_) throw flow::Error(FLOW_UNAVAILABLE, "sickened by request");
  }

 private:
  void sicken(flow::Request&) { sick_ = true; }
  void cure(flow::Request&) { sick_ = false; }

  std::atomic<bool> sick_ = false;
  flow::Router<Unhealthy> router_{{"/sicken", &Unhealthy::sicken}, {"/cure", &Unhealthy::cure}};
};

FLOW_PLUGIN(Unhealthy, FLOW_CONCURRENT, R"({
  "abi": {"major": 1, "minor": 0}, "id": "unhealthy", "version": "1.0.0",
  "summary": "health() says UNAVAILABLE between /sicken and /cure",
  "license": "Apache-2.0", "endpoints": [{"path": "/sicken"}, {"path": "/cure"}]
})");
