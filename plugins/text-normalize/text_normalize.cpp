// SPDX-License-Identifier: Apache-2.0
//
// Makes texts that look alike equal, before something compares, counts or encodes them.
#include <flow/plugin.hpp>

#include <string>

#include "normalize.hpp"

namespace {

class TextNormalize {
 public:
  explicit TextNormalize(const flow::Config& config)
      : how_{config.text("form") == "NFKC" ? Form::NFKC : Form::NFC,
             config.boolean("fold_case") ? Case::Fold : Case::Keep,
             config.boolean("collapse_whitespace") ? Whitespace::Collapse : Whitespace::Keep} {}

  void process(flow::Request& request) { edit(request.docs()); }

 private:
  void edit(flow::Docs docs) {
    for (flow::Doc doc : docs) {
      edit(doc);
      edit(doc.chunks());
    }
  }

  // A text that is normal already is not copied, and a blob or tensor not replaced by a text.
  void edit(flow::Doc& doc) {
    if (doc.text().empty()) return;
    try {
      const std::string text = normalize(doc.text(), how_);
      if (text != doc.text()) doc.set_text(text);
    } catch (const InvalidUtf8& error) {
      throw flow::Error(FLOW_INVALID_ARGUMENT,
                        "document \"" + std::string(doc.id()) + "\": its text is " + error.what());
    }
  }

  const Normalization how_;
};

}  // namespace

// Not FLOW_BATCHES: an invalid document would fail the requests that it was merged with.
FLOW_PLUGIN(TextNormalize, FLOW_CONCURRENT, R"({
  "abi": {"major": 1, "minor": 0},
  "id": "text-normalize",
  "version": "1.0.0",
  "summary": "Unicode normalisation, case folding and white-space collapsing of texts",
  "license": "Apache-2.0",
  "endpoints": [
    {
      "path": "/default",
      "summary": "Normalises the text of every document and of its chunks",
      "reads": ["text", "chunks"],
      "writes": ["text"],
      "idempotent": true
    }
  ],
  "config": [
    {
      "name": "form",
      "type": "string",
      "default": "NFC",
      "choices": ["NFC", "NFKC"],
      "summary": "Unicode normal form; NFKC also unifies ligatures, widths and the like"
    },
    {
      "name": "fold_case",
      "type": "boolean",
      "default": true,
      "summary": "Apply Unicode's full case folding"
    },
    {
      "name": "collapse_whitespace",
      "type": "boolean",
      "default": true,
      "summary": "Make every run of white space one space, and remove it at both ends"
    }
  ]
})");
