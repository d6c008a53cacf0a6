// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

// Names that a native stack shows; noinline, so that there is a frame to show.
#define STUCK_FUNCTION __attribute__((noinline))

namespace {

class GetsStuck {
 public:
  explicit GetsStuck(const flow::Config& config) {
    const std::string path(config.text("create_stuck_while"));
    if (!path.empty() && std::filesystem::exists(path)) lock_twice_in_create();
  }

  void process(flow::Request& request) { router_(*this, request); }

  void health() const {
    if (health_stuck_) lock_twice_in_health();
  }

 private:
  void spin(flow::Request&) { spin_for_ever(); }
  void deadlock(flow::Request&) { lock_twice(); }
  void stick_health(flow::Request&) { health_stuck_ = true; }
  // For as many milliseconds as the parameter says: with signs of life, and without.
  void busy(flow::Request& request) {
    const auto end = end_of(request);
    while (std::chrono::steady_clock::now() < end) {
      request.progress();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  void silent(flow::Request& request) { std::this_thread::sleep_until(end_of(request)); }

  static std::chrono::steady_clock::time_point end_of(const flow::Request& request) {
    return std::chrono::steady_clock::now() +
           std::chrono::milliseconds(request.parameters().integer("ms", 0));
  }

  STUCK_FUNCTION void spin_for_ever() {
    while (!ends_) ++turns_;
  }
  STUCK_FUNCTION void lock_twice() {
    const std::lock_guard once(mutex_);
    const std::lock_guard twice(mutex_);
    ++turns_;  // so that this is no tail call
  }
  STUCK_FUNCTION void lock_twice_in_create() {
    lock_twice();
    ++turns_;
  }
  STUCK_FUNCTION void lock_twice_in_health() const {
    const_cast<GetsStuck*>(this)->lock_twice();
    turns_ += 2;  // two functions that do the same may become one, with one name
  }

  std::mutex mutex_;
  std::atomic<bool> health_stuck_ = false;
  const std::atomic<bool> ends_ = false;
  mutable std::atomic<unsigned> turns_ = 0;
  flow::Router<GetsStuck> router_{{"/spin", &GetsStuck::spin},
                                  {"/deadlock", &GetsStuck::deadlock},
                                  {"/stick-health", &GetsStuck::stick_health},
                                  {"/busy", &GetsStuck::busy},
                                  {"/silent", &GetsStuck::silent}};
};

}  // namespace

FLOW_PLUGIN(GetsStuck, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "gets-stuck", "version": "1.0.0",
  "summary": "Never returns from where it is told to get stuck",
  "license": "Apache-2.0",
  "endpoints": [{"path": "/spin"}, {"path": "/deadlock"}, {"path": "/stick-health"},
                {"path": "/busy"}, {"path": "/silent"}],
  "config": [{"name": "create_stuck_while", "type": "string", "default": "",
              "summary": "create() gets stuck if this file exists"}]
})");
