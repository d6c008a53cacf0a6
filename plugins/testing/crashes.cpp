// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

// Functions that stand in stack traces: with names, and not inlined or left by a jump.
// Sanitizers would notice some of it before it happens.
#define NAMED [[gnu::noinline, gnu::no_sanitize("address,undefined")]]

namespace crashing {

NAMED void after() { asm volatile("" ::: "memory"); }

NAMED void null_pointer(int volatile* pointer) {
  *pointer = 1;
  after();
}

NAMED void null_function(void (*function)()) {
  function();
  after();
}

NAMED int divide(int number, int by) {
  const int volatile divisor = by;
  const int result = number / divisor;
  after();
  return result;
}

NAMED unsigned overflow(unsigned depth) {
  unsigned volatile filler[64] = {depth};
  if (depth == ~0U) return 0;
  return overflow(depth + 1) + filler[depth % 64];
}

NAMED void abort_here() {
  std::abort();
  after();
}

NAMED void throw_here() { throw std::runtime_error("thrown on purpose"); }

NAMED void throw_uncaught() noexcept { throw_here(); }

NAMED void on_another_thread() {
  std::thread([] { null_pointer(nullptr); }).join();
}

}  // namespace crashing

// Dies as its endpoint says.
class Crashes {
 public:
  void process(flow::Request& request) { router_(*this, request); }

 private:
  void nothing(flow::Request&) {}
  void null_pointer(flow::Request&) { crashing::null_pointer(nullptr); }
  void null_function(flow::Request&) { crashing::null_function(nullptr); }
  void divide(flow::Request&) { crashing::divide(1, 0); }
  void overflow(flow::Request&) { crashing::overflow(0); }
  void abort(flow::Request&) { crashing::abort_here(); }
  void throws(flow::Request&) { crashing::throw_here(); }
  void refuses(flow::Request&) { throw flow::Error(FLOW_INVALID_ARGUMENT, "refused"); }
  void throws_uncaught(flow::Request&) { crashing::throw_uncaught(); }
  void thread(flow::Request&) { crashing::on_another_thread(); }

  flow::Router<Crashes> router_{{"/default", &Crashes::nothing},
                                {"/null", &Crashes::null_pointer},
                                {"/null-function", &Crashes::null_function},
                                {"/divide", &Crashes::divide},
                                {"/overflow", &Crashes::overflow},
                                {"/abort", &Crashes::abort},
                                {"/throw", &Crashes::throws},
                                {"/refuse", &Crashes::refuses},
                                {"/throw-uncaught", &Crashes::throws_uncaught},
                                {"/thread", &Crashes::thread}};
};

FLOW_PLUGIN(Crashes, 0, R"({
  "abi": {"major": 1, "minor": 0}, "id": "crashes", "version": "1.0.0",
  "summary": "process() dies as the endpoint says",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}, {"path": "/null"},
  {"path": "/null-function"}, {"path": "/divide"}, {"path": "/overflow"}, {"path": "/abort"},
  {"path": "/throw"}, {"path": "/refuse"}, {"path": "/throw-uncaught"}, {"path": "/thread"}]
})");
