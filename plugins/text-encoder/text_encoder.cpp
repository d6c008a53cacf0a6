// SPDX-License-Identifier: Apache-2.0
//
// Turns texts into vectors that can be compared, without a model: fast, deterministic, and good
// enough to find texts that share words or parts of words.
#include <flow/plugin.hpp>

#include <string>

#include "encode.hpp"

namespace {

class TextEncoder {
 public:
  explicit TextEncoder(const flow::Config& config)
      : dimensions_(static_cast<std::uint32_t>(config.integer("dimensions"))),
        ngrams_{static_cast<std::size_t>(config.integer("ngram_min")),
                static_cast<std::size_t>(config.integer("ngram_max"))} {
    if (ngrams_.min > ngrams_.max) {
      throw flow::Error(FLOW_INVALID_ARGUMENT,
                        "config key \"ngram_min\": expected at most ngram_max, " +
                            std::to_string(ngrams_.max) + ", found " + std::to_string(ngrams_.min));
    }
  }

  void process(flow::Request& request) { edit(request.docs()); }

 private:
  void edit(flow::Docs docs) {
    for (flow::Doc doc : docs) {
      encode(doc.text(), ngrams_, doc.new_embedding(dimensions_));
      edit(doc.chunks());
    }
  }

  const std::uint32_t dimensions_;
  const NgramRange ngrams_;
};

}  // namespace

FLOW_PLUGIN(TextEncoder, FLOW_CONCURRENT | FLOW_BATCHES, R"({
  "abi": {"major": 1, "minor": 0},
  "id": "text-encoder",
  "version": "1.0.0",
  "summary": "Embeds texts by hashed character n-grams",
  "license": "Apache-2.0",
  "endpoints": [
    {
      "path": "/default",
      "summary": "Sets the embedding of every document and of its chunks from its text",
      "reads": ["text", "chunks"],
      "writes": ["embedding"],
      "idempotent": true
    }
  ],
  "config": [
    {
      "name": "dimensions",
      "type": "integer",
      "default": 256,
      "min": 1,
      "max": 65536,
      "summary": "Elements of an embedding"
    },
    {
      "name": "ngram_min",
      "type": "integer",
      "default": 2,
      "min": 1,
      "max": 16,
      "summary": "Characters of the shortest n-grams"
    },
    {
      "name": "ngram_max",
      "type": "integer",
      "default": 4,
      "min": 1,
      "max": 16,
      "summary": "Characters of the longest n-grams"
    }
  ]
})");
