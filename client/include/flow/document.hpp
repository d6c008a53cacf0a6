// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "flow/json.hpp"
#include "flow/nd_array.hpp"

namespace flow {

// Bytes, as opposed to text.
struct Blob {
  std::string bytes;
  bool operator==(const Blob&) const = default;
};

// One result of comparing or rating a document.
struct Score {
  float value = 0;
  std::string op_name;
  std::string description;
  std::string ref_id;  // of the document it was compared with
  bool operator==(const Score&) const = default;
};

// What is sent and what comes back: one piece of content, and what is known about it.
//
//   flow::Document document = flow::Document::of_text("hello");
//   document.tags = {{"lang", "en"}};
//
// A value: copies are independent. Zero and empty mean "not set", as on the wire. The numbers that
// are rarely used keep the wire's names.
struct Document {
  using Content = std::variant<std::monostate, std::string, Blob, NdArray>;

  static Document of_text(std::string text) {
    Document document;
    document.content = std::move(text);
    return document;
  }
  static Document of_blob(std::string bytes) {
    Document document;
    document.content = Blob{std::move(bytes)};
    return document;
  }
  static Document of_tensor(NdArray tensor) {
    Document document;
    document.content = std::move(tensor);
    return document;
  }

  // The content if it is of this kind, else empty or null. Valid while `content` is unchanged.
  std::string_view text() const {
    const std::string* text = std::get_if<std::string>(&content);
    return text == nullptr ? std::string_view() : *text;
  }
  std::string_view blob() const {
    const Blob* blob = std::get_if<Blob>(&content);
    return blob == nullptr ? std::string_view() : blob->bytes;
  }
  const NdArray* tensor() const { return std::get_if<NdArray>(&content); }

  bool operator==(const Document&) const = default;

  std::string id;  // the client makes one of 32 hexadecimal digits if it is empty
  Content content;
  std::optional<NdArray> embedding;
  Json::Object tags;
  std::string uri;
  std::string mime_type;
  std::string modality;
  float weight = 0;
  std::map<std::string, Score> scores;
  std::map<std::string, Score> evaluations;
  std::vector<Document> chunks;   // parts of this one
  std::vector<Document> matches;  // others that are like this one
  std::string parent_id;
  std::uint32_t granularity = 0;  // how deep in chunks
  std::uint32_t adjacency = 0;    // how deep in matches
  float offset = 0;
  std::vector<float> location;
  Json::Object metadata;  // the wire's _metadata
};

}  // namespace flow
