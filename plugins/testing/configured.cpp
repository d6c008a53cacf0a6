// SPDX-License-Identifier: Apache-2.0
//
// Writes its configuration into the tags of every document, as it was given.
#include <flow/plugin.hpp>

#include <cstdint>
#include <string>

class Configured {
 public:
  explicit Configured(const flow::Config& config)
      : name_(config.text("name")),
        mode_(config.text("mode")),
        count_(config.integer("count")),
        ratio_(config.number("ratio")),
        verbose_(config.boolean("verbose")),
        token_size_(config.text("token", "").size()) {
    for (flow::Value item : config["labels"].items()) labels_.append(item.text()).append(";");
    for (auto [key, weight] : config["weights"].entries()) {
      weights_.append(key).append("=").append(std::to_string(weight.integer())).append(";");
    }
  }

  void process(flow::Request& request) {
    for (flow::Doc doc : request) {
      doc.set_tag("name", name_);
      doc.set_tag("mode", mode_);
      doc.set_tag("count", count_);
      doc.set_tag("ratio", ratio_);
      doc.set_tag("verbose", verbose_);
      doc.set_tag("labels", labels_);
      doc.set_tag("weights", weights_);
      doc.set_tag("token_size", token_size_);
    }
  }

 private:
  const std::string name_;
  const std::string mode_;
  const std::int64_t count_;
  const double ratio_;
  const bool verbose_;
  const std::size_t token_size_;  // the token itself is secret
  std::string labels_;
  std::string weights_;
};

FLOW_PLUGIN(Configured, FLOW_CONCURRENT | FLOW_BATCHES, R"({
  "abi": {"major": 1, "minor": 0}, "id": "configured", "version": "1.0.0",
  "summary": "Answers with its configuration",
  "license": "Apache-2.0", "endpoints": [{"path": "/default"}],
  "config": [
    {"name": "name", "type": "string", "required": true, "summary": "Any text"},
    {"name": "mode", "type": "string", "default": "fast", "choices": ["fast", "exact"]},
    {"name": "count", "type": "integer", "default": 3, "min": 1, "max": 10},
    {"name": "ratio", "type": "number", "default": 0.5, "min": 0, "max": 1},
    {"name": "verbose", "type": "boolean", "default": false},
    {"name": "labels", "type": "list", "default": ["a", "b"], "summary": "Texts"},
    {"name": "weights", "type": "map", "default": {"x": 1}, "summary": "Integers by name"},
    {"name": "token", "type": "string", "secret": true, "summary": "Answered with its size only"}
  ]
})");
