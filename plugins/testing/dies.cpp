// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <flow/plugin.hpp>
#include <string>

// Each document that it begins to process is a line in a file, so that a test sees what ran twice.
class Dies {
 public:
  explicit Dies(const flow::Config& config)
      : runs_(::open(std::string(config.text("runs")).c_str(),
                     O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) {
    if (runs_ < 0) throw flow::Error(FLOW_NOT_FOUND, "the file for the runs cannot be opened");
  }
  Dies(const Dies&) = delete;
  Dies& operator=(const Dies&) = delete;
  ~Dies() { ::close(runs_); }

  void process(flow::Request& request) {
    for (flow::Doc doc : request) {
      const std::string line = std::string(doc.id()) + "\n";
      if (::write(runs_, line.data(), line.size()) < 0) throw flow::Error(FLOW_INTERNAL, "no room");
      if (doc.text() == "poison") std::raise(SIGSEGV);
    }
  }

 private:
  const int runs_;
};

FLOW_PLUGIN(Dies, FLOW_CONCURRENT, R"({
  "abi": {"major": 1, "minor": 0}, "id": "dies", "version": "1.0.0",
  "summary": "process() of a document with the text \"poison\" dies of SIGSEGV",
  "license": "Apache-2.0",
  "endpoints": [{"path": "/safe", "idempotent": true}, {"path": "/unsafe"}],
  "config": [{"name": "runs", "type": "string", "required": true,
              "summary": "a file that gets the ids of documents"}]
})");
