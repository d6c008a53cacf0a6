// SPDX-License-Identifier: Apache-2.0
//
// One endpoint for each way in which an executor can change the response.
#include <flow/plugin.hpp>

#include <array>
#include <cstdint>
#include <string>

class Edits {
 public:
  void process(flow::Request& request) { router_(*this, request); }

 private:
  template <void (*Edit)(flow::Doc)>
  void each(flow::Request& request) {
    for (flow::Doc doc : request) Edit(doc);
  }

  static void id(flow::Doc doc) { doc.set_id("new-" + std::string(doc.id())); }
  static void text(flow::Doc doc) { doc.set_text("new " + std::string(doc.text())); }
  static void uri(flow::Doc doc) { doc.set_uri("https://example.org/" + std::string(doc.id())); }
  static void mime_type(flow::Doc doc) { doc.set_mime_type("text/markdown"); }
  static void blob(flow::Doc doc) { doc.set_blob(std::array<std::uint8_t, 3>{0, 1, 255}); }
  static void tensor(flow::Doc doc) {
    std::int16_t next = -3;
    for (std::int16_t& element : doc.new_tensor<std::int16_t>({2, 3})) element = next++;
  }
  static void embedding(flow::Doc doc) {
    float next = 0;
    for (float& element : doc.new_embedding(4)) element = next += 0.25F;
  }
  static void scores(flow::Doc doc) { doc.set_score("cosine", 0.5); }
  static void chunks(flow::Doc doc) {
    for (flow::Doc chunk : doc.chunks()) chunk.set_text("old " + std::string(chunk.text()));
    doc.append_chunk().set_text("new");
  }
  static void matches(flow::Doc doc) {
    flow::Doc match = doc.append_match();
    match.set_id("match-of-" + std::string(doc.id()));
    match.set_text("found");
    match.set_tag("rank", 1);
    match.set_score("cosine", 0.75);
    match.append_chunk().set_text("chunk of a match");
  }

  // The request's parameters become tags; those that are null remove one.
  void tags(flow::Request& request) {
    for (flow::Doc doc : request) {
      doc.set_tag("text", "a");
      doc.set_tag("number", 1.5);
      doc.set_tag("boolean", true);
      doc.remove_tag("removed");
      for (auto [key, value] : request.parameters().entries()) doc.set_tag(key, value);
    }
  }
  void append(flow::Request& request) {
    flow::Doc doc = request.append();
    doc.set_id("appended");
    doc.set_text("appended text");
  }
  // Every second document, beginning with the first.
  void remove(flow::Request& request) {
    for (std::size_t i = 0; i < request.size(); i += 2) request.remove(request[i]);
  }
  void replace(flow::Request& request) {
    for (flow::Doc doc : request) request.remove(doc);
    request.append().set_id("replacement");
  }
  // Uses a handle that is dead.
  void misuse(flow::Request& request) {
    for (flow::Doc doc : request) {
      request.remove(doc);
      doc.set_text("too late");
    }
  }
  // Sends each document in a message of its own.
  void stream(flow::Request& request) {
    for (flow::Doc doc : request) request.remove(doc);
    for (flow::Doc doc : request) {
      request.append().set_text(doc.text());
      if (!request.emit()) throw flow::Error(FLOW_CANCELLED, "the caller is gone");
    }
  }

  // Sends all documents edited, then looks at them again.
  void emit(flow::Request& request) {
    each<text>(request);
    if (!request.emit()) throw flow::Error(FLOW_CANCELLED, "the caller is gone");
    for (flow::Doc doc : request) request.append().set_text("after " + std::string(doc.text()));
  }

  flow::Router<Edits> router_{{"/id", &Edits::each<id>},
                              {"/text", &Edits::each<text>},
                              {"/uri", &Edits::each<uri>},
                              {"/mime_type", &Edits::each<mime_type>},
                              {"/blob", &Edits::each<blob>},
                              {"/tensor", &Edits::each<tensor>},
                              {"/embedding", &Edits::each<embedding>},
                              {"/scores", &Edits::each<scores>},
                              {"/chunks", &Edits::each<chunks>},
                              {"/matches", &Edits::each<matches>},
                              {"/tags", &Edits::tags},
                              {"/append", &Edits::append},
                              {"/remove", &Edits::remove},
                              {"/replace", &Edits::replace},
                              {"/misuse", &Edits::misuse},
                              {"/stream", &Edits::stream},
                              {"/emit", &Edits::emit}};
};

FLOW_PLUGIN(Edits, FLOW_CONCURRENT | FLOW_STREAMS, R"({
  "abi": {"major": 1, "minor": 0}, "id": "edits", "version": "1.0.0",
  "summary": "Changes documents in every possible way, by the endpoint's name",
  "license": "Apache-2.0",
  "endpoints": [
    {"path": "/id", "writes": ["id"]},
    {"path": "/text", "writes": ["text"]},
    {"path": "/uri", "writes": ["uri"]},
    {"path": "/mime_type", "writes": ["mime_type"]},
    {"path": "/blob", "writes": ["blob"]},
    {"path": "/tensor", "writes": ["tensor"]},
    {"path": "/embedding", "writes": ["embedding"]},
    {"path": "/scores", "writes": ["scores"]},
    {"path": "/chunks", "writes": ["chunks"]},
    {"path": "/matches", "writes": ["matches"]},
    {"path": "/tags", "writes": ["tags"], "summary": "Every parameter becomes a tag"},
    {"path": "/append"},
    {"path": "/remove"},
    {"path": "/replace"},
    {"path": "/misuse", "summary": "Fails with INVALID_ARGUMENT"},
    {"path": "/stream", "streams": true},
    {"path": "/emit", "streams": true, "writes": ["text"]}
  ]
})");
