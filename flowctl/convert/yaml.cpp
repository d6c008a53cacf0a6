// SPDX-License-Identifier: Apache-2.0
#include "flowctl/convert/yaml.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <sstream>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/yaml.h"

namespace flow::ctl {
namespace {

using core::Location;
using core::Value;

// A map of a hundred executors with twenty keys each has a tenth of it; an alias counts as much as
// what it stands for.
constexpr std::size_t kNodesMax = 20'000;

// Travels through yaml-cpp, and no further.
struct Refusal {
  Location at;
  std::string what;
};

Location place_of(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

template <typename Number>
std::optional<Number> whole(std::string_view digits, int base) {
  Number number{};
  const auto [end, bad] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (bad != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

std::optional<std::int64_t> integer_of(std::string_view text) {
  std::string digits;
  std::ranges::copy_if(text, std::back_inserter(digits), [](char c) { return c != '_'; });
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.erase(0, 1);
  // YAML allows what from_chars would take for a sign.
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return std::nullopt;
  int base = 10;
  if (digits.starts_with("0x")) {
    base = 16;
    digits.erase(0, 2);
  } else if (digits.starts_with("0b")) {
    base = 2;
    digits.erase(0, 2);
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
  }
  if (negative) digits.insert(0, 1, '-');
  return whole<std::int64_t>(digits, base);
}

std::optional<double> float_of(std::string_view text) {
  const std::string lower = core::lower_case(text);
  const std::string_view unsigned_text =
      lower.starts_with('-') || lower.starts_with('+') ? std::string_view(lower).substr(1) : lower;
  if (unsigned_text == ".inf") {
    return lower.starts_with('-') ? -std::numeric_limits<double>::infinity()
                                  : std::numeric_limits<double>::infinity();
  }
  if (lower == ".nan") return std::numeric_limits<double>::quiet_NaN();
  // As in Python: a point makes it a number; "1e5" is a text.
  if (unsigned_text.empty() || unsigned_text.find('.') == std::string_view::npos ||
      unsigned_text.find_first_not_of("0123456789.e+-_") != std::string_view::npos ||
      (unsigned_text[0] != '.' && (unsigned_text[0] < '0' || unsigned_text[0] > '9'))) {
    return std::nullopt;
  }
  std::string digits;
  std::ranges::copy_if(unsigned_text, std::back_inserter(digits), [](char c) { return c != '_'; });
  double number = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (bad != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return lower.starts_with('-') ? -number : number;
}

decltype(Value::data) plain(const std::string& text) {
  constexpr std::array<std::string_view, 3> kTrue = {"yes", "true", "on"};
  constexpr std::array<std::string_view, 3> kFalse = {"no", "false", "off"};
  const std::string lower = core::lower_case(text);
  if (std::ranges::find(kTrue, lower) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, lower) != kFalse.end()) return false;
  if (const auto number = integer_of(text)) return *number;
  if (const auto number = float_of(text)) return *number;
  return text;
}

struct Extent {
  std::size_t nodes = 1;
  std::size_t depth = 1;

  void add(const Extent& child) {
    nodes += child.nodes;
    depth = std::max(depth, child.depth + 1);
  }
};

Extent extent_of(const Value& value) {
  Extent extent;
  if (const auto* list = std::get_if<Value::List>(&value.data)) {
    for (const Value& item : *list) extent.add(extent_of(item));
  } else if (const auto* map = std::get_if<Value::Map>(&value.data)) {
    for (const auto& entry : *map) extent.add(extent_of(entry.value));
  }
  return extent;
}

// Builds the tree from what the parser finds. Everything is counted before it is built.
class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlDocument take() { return std::move(document_); }

 private:
  // A list or a map that is not complete yet.
  struct Open {
    Value value;
    YAML::anchor_t anchor = 0;
    std::optional<std::string> key;  // whose value comes next
    Location key_at;
  };

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (wants_key()) return take_key("null", place_of(mark));
    add({nullptr, place_of(mark)}, anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const Location at = place_of(mark);
    if (wants_key()) return take_key(text, at);
    note_tag(tag, at);
    const bool typed = tag == "?" || tag == "tag:yaml.org,2002:int" ||
                       tag == "tag:yaml.org,2002:float" || tag == "tag:yaml.org,2002:bool";
    add({typed ? plain(text) : decltype(Value::data)(text), at}, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const Location at = place_of(mark);
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end()) throw Refusal{at, "an alias stands within its own anchor"};
    if (wants_key()) throw Refusal{at, "a key that is an alias is not understood"};
    Value copy = found->second;
    const Extent extent = extent_of(copy);
    count(extent.nodes, open_.size() + extent.depth, at);
    copy.at = at;
    add(std::move(copy), 0);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(Value::List{}, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(Value::Map{}, mark, tag, anchor);
  }
  void OnSequenceEnd() override { finish(); }
  void OnMapEnd() override { finish(); }

  bool wants_key() const {
    return !open_.empty() && !open_.back().key &&
           std::holds_alternative<Value::Map>(open_.back().value.data);
  }

  void take_key(const std::string& key, Location at) {
    Open& map = open_.back();
    for (const auto& entry : std::get<Value::Map>(map.value.data)) {
      if (entry.key == key) {
        throw Refusal{at, fmt::format("the key {} stands here twice (first in line {})",
                                      core::in_quotes(key), entry.value.at.line)};
      }
    }
    map.key = key;
    map.key_at = at;
  }

  void start(decltype(Value::data) container, const YAML::Mark& mark, const std::string& tag,
             YAML::anchor_t anchor) {
    const Location at = place_of(mark);
    if (wants_key()) throw Refusal{at, "a key that is a list or a map is not understood"};
    note_tag(tag, at);
    count(1, open_.size() + 1, at);
    open_.push_back({{std::move(container), at}, anchor, std::nullopt, {}});
  }

  void finish() {
    Open done = std::move(open_.back());
    open_.pop_back();
    place(std::move(done.value), done.anchor);
  }

  void add(Value value, YAML::anchor_t anchor) {
    count(1, open_.size() + 1, value.at);
    place(std::move(value), anchor);
  }

  void place(Value value, YAML::anchor_t anchor) {
    if (anchor != 0) {
      count(extent_of(value).nodes, 0, value.at);  // it is kept twice
      anchored_[anchor] = value;
    }
    if (open_.empty()) {
      document_.root = std::move(value);
      return;
    }
    Open& parent = open_.back();
    if (auto* list = std::get_if<Value::List>(&parent.value.data)) {
      list->push_back(std::move(value));
      return;
    }
    value.at = parent.key_at;
    std::get<Value::Map>(parent.value.data).push_back({*std::move(parent.key), std::move(value)});
    parent.key.reset();
  }

  void note_tag(const std::string& tag, Location at) {
    if (tag.size() > 1 && tag[0] == '!') document_.tags.emplace_back(at, tag);
  }

  void count(std::size_t nodes, std::size_t depth, Location at) {
    nodes_ += nodes;
    if (nodes_ > kNodesMax) {
      throw Refusal{at, fmt::format("there are more than {} values, aliases counted as what they "
                                    "stand for: this is no Flow",
                                    kNodesMax)};
    }
    if (depth > core::limits::kConfigDepthMax) {
      throw Refusal{at, fmt::format("lists and maps are nested more than {} deep",
                                    core::limits::kConfigDepthMax)};
    }
  }

  YamlDocument document_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Value> anchored_;
  std::size_t nodes_ = 0;
};

}  // namespace

absl::StatusOr<YamlDocument> read_yaml(std::string_view text, std::string_view file) {
  const auto refused = [file](std::string_view what) {
    return core::error(absl::StatusCode::kInvalidArgument, fmt::format("{}: {}", file, what));
  };
  const auto refused_at = [file](Location at, std::string_view what) {
    return core::error(absl::StatusCode::kInvalidArgument,
                       fmt::format("{}:{}:{}: {}", file, at.line, at.column, what));
  };
  if (text.size() > core::limits::kConfigBytesMax) {
    return refused(fmt::format("has {} bytes, more than {}: this is no Flow", text.size(),
                               core::limits::kConfigBytesMax));
  }
  if (!core::is_valid_utf8(text)) return refused("is not UTF-8");
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder;
    if (!parser.HandleNextDocument(builder)) return refused("is empty");
    YamlDocument document = builder.take();
    TreeBuilder rest;
    if (parser.HandleNextDocument(rest)) {
      return refused_at(rest.take().root.at, "a second document begins here; expected one");
    }
    return document;
  } catch (const Refusal& refusal) {
    return refused_at(refusal.at, refusal.what);
  } catch (const YAML::Exception& error) {
    return refused_at(place_of(error.mark), error.msg);
  }
}

}  // namespace flow::ctl
