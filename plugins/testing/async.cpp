// SPDX-License-Identifier: Apache-2.0
#include <flow/plugin.hpp>

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

// Answers from a thread of its own, in the order of the requests.
class Async {
 public:
  void process(flow::Request request, flow::Completion done) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({request, std::move(done)});
    changed_.notify_one();
  }

 private:
  struct Job {
    flow::Request request;
    flow::Completion done;
  };

  void work(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return !jobs_.empty(); })) {
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job.done.finish_with([&job] {
        for (flow::Doc doc : job.request) doc.set_tag("answered", "later");
      });
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<Job> jobs_;
  std::jthread worker_{std::bind_front(&Async::work, this)};  // last: it uses the others
};

FLOW_PLUGIN(Async, FLOW_CONCURRENT, R"({
  "abi": {"major": 1, "minor": 0}, "id": "async", "version": "1.0.0",
  "summary": "Answers from its own thread",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}]
})");
