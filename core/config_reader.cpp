// SPDX-License-Identifier: Apache-2.0
#include "core/config_reader.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "core/expand.hpp"
#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "core/toml_depth.hpp"
#include "core/units.hpp"
#include "fmt/format.h"

namespace flow::core {
namespace {

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// toml++ sorts the keys of a table; people read them in the order they were written.
std::vector<std::pair<const toml::key*, const toml::node*>> in_file_order(
    const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (auto&& [key, node] : table) entries.emplace_back(&key, &node);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    const toml::source_position left = a.first->source().begin;
    const toml::source_position right = b.first->source().begin;
    return std::tie(left.line, left.column) < std::tie(right.line, right.column);
  });
  return entries;
}

}  // namespace

void ConfigErrors::add(Location at, std::string what) { errors_.emplace_back(at, std::move(what)); }

absl::Status ConfigErrors::status(std::string_view file) const {
  if (errors_.empty()) return absl::OkStatus();
  auto sorted = errors_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first.line, a.first.column) < std::tie(b.first.line, b.first.column);
  });
  std::string text;
  for (const auto& [at, what] : sorted) {
    if (!text.empty()) text += '\n';
    text += at_place(file, at, one_line(what));
  }
  return error(absl::StatusCode::kInvalidArgument, text);
}

std::string at_place(std::string_view file, Location at, std::string_view what) {
  if (at.line == 0) return fmt::format("{}: {}", file, what);
  return fmt::format("{}:{}:{}: {}", file, at.line, at.column, what);
}

Location begin_of(const toml::source_region& region) {
  return {.line = static_cast<int>(region.begin.line),
          .column = static_cast<int>(region.begin.column)};
}

std::optional<toml::table> parse_toml(std::string_view text, ConfigErrors& errors) {
  if (const std::optional<Location> at = too_deep(text, limits::kConfigDepthMax)) {
    errors.add(*at, fmt::format("more than {} tables and arrays inside each other",
                                limits::kConfigDepthMax));
    return std::nullopt;
  }
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& failure) {
    errors.add(begin_of(failure.source()), std::string(failure.description()));
    return std::nullopt;
  }
}

const toml::node* TableReader::find(std::string_view key) {
  asked_.emplace_back(key);
  return table_.get(key);
}

void TableReader::wrong_type(std::string_view key, const toml::node& node,
                             std::string_view expected) {
  errors_.add(begin_of(node.source()),
              fmt::format("{} is {}, expected {}", key, type_name(node), expected));
}

std::optional<std::string> TableReader::expanded(std::string_view key, const toml::node& node) {
  absl::StatusOr<std::string> result = expand(node.as_string()->get(), environment_);
  if (!result.ok()) {
    errors_.add(begin_of(node.source()), fmt::format("{}: {}", key, message(result.status())));
    return std::nullopt;
  }
  return *std::move(result);
}

// For strings that reach the operating system, which would cut them at a NUL.
std::optional<std::string> TableReader::expanded_text(std::string_view key, const toml::node& node,
                                                      std::string_view expected) {
  if (!node.is_string()) {
    wrong_type(key, node, expected);
    return std::nullopt;
  }
  std::optional<std::string> result = expanded(key, node);
  if (result && result->find('\0') != std::string::npos) {
    errors_.add(begin_of(node.source()), fmt::format("{} has a NUL character", key));
    return std::nullopt;
  }
  return result;
}

Location TableReader::text(std::string_view key, std::string& to) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  std::optional<std::string> value = expanded_text(key, *node, "a string");
  if (!value) return {};
  if (value->empty()) {
    errors_.add(begin_of(node->source()), fmt::format("{} is empty", key));
    return {};
  }
  to = *std::move(value);
  return begin_of(node->source());
}

Location TableReader::texts(std::string_view key, std::vector<PlacedText>& to) {
  constexpr std::string_view kExpected = "an array of strings";
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    wrong_type(key, *node, kExpected);
    return {};
  }

  std::vector<PlacedText> result;
  bool complete = true;
  for (const toml::node& element : *array) {
    const Location at = begin_of(element.source());
    std::optional<std::string> value =
        expanded_text(fmt::format("an element of {}", key), element, "a string");
    if (value && value->empty()) {
      errors_.add(at, fmt::format("an element of {} is empty", key));
      value.reset();
    }
    complete = complete && value.has_value();
    if (value) result.push_back({*std::move(value), at});
  }
  if (!complete) return {};
  to = std::move(result);
  return begin_of(node->source());
}

Location TableReader::text_map(std::string_view key, std::map<std::string, std::string>& to) {
  const toml::table* entries = table(key);
  if (entries == nullptr) return {};

  std::map<std::string, std::string> result;
  bool complete = true;
  for (auto&& [name, node] : *entries) {
    const std::string_view name_text = name.str();
    if (name_text.empty() ||
        name_text.find_first_of(std::string_view("=\0", 2)) != name_text.npos) {
      errors_.add(
          begin_of(name.source()),
          fmt::format("{} is not the name of an environment variable", in_quotes(name_text)));
      complete = false;
      continue;
    }
    std::optional<std::string> value =
        expanded_text(fmt::format("{}.{}", key, name_text), node, "a string");
    complete = complete && value.has_value();
    if (value) result.emplace(name_text, *std::move(value));
  }
  if (!complete) return {};
  to = std::move(result);
  return begin_of(entries->source());
}

Location TableReader::duration(std::string_view key, Zero zero, std::chrono::nanoseconds& to) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  const std::optional<std::string> text =
      expanded_text(key, *node, "a duration, such as \"250ms\" or \"5s\"");
  return text ? duration_of(key, *node, *text, zero, to) : Location{};
}

Location TableReader::duration_or_off(std::string_view key,
                                      std::optional<std::chrono::nanoseconds>& to) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  const std::optional<std::string> text =
      expanded_text(key, *node, "a duration, such as \"30s\", or \"off\"");
  if (!text) return {};
  if (*text == "off") {
    to.reset();
    return begin_of(node->source());
  }
  std::chrono::nanoseconds value{};
  const Location at = duration_of(key, *node, *text, Zero::Refused, value);
  if (at.line != 0) to = value;
  return at;
}

Location TableReader::duration_of(std::string_view key, const toml::node& node,
                                  const std::string& text, Zero zero,
                                  std::chrono::nanoseconds& to) {
  const Location at = begin_of(node.source());
  const absl::StatusOr<std::chrono::nanoseconds> value = parse_duration(text);
  if (!value.ok()) {
    errors_.add(at, fmt::format("{}: {}", key, message(value.status())));
    return {};
  }
  if (*value == std::chrono::nanoseconds::zero() && zero == Zero::Refused) {
    errors_.add(at, fmt::format("{} is {}, expected more than nothing", key, in_quotes(text)));
    return {};
  }
  to = *value;
  return at;
}

Location TableReader::size(std::string_view key, std::uint64_t max, std::uint64_t& to) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  const Location at = begin_of(node->source());
  const std::optional<std::string> text =
      expanded_text(key, *node, "a size, such as \"64MiB\" or \"10kB\"");
  if (!text) return {};

  const absl::StatusOr<std::uint64_t> value = parse_size(*text);
  if (!value.ok()) {
    errors_.add(at, fmt::format("{}: {}", key, message(value.status())));
    return {};
  }
  if (*value == 0 || *value > max) {
    errors_.add(at,
                fmt::format("{} is {}, expected from 1 to {} bytes", key, in_quotes(*text), max));
    return {};
  }
  to = *value;
  return at;
}

Location TableReader::integer_within(std::string_view key, std::int64_t min, std::int64_t max,
                                     std::int64_t& to) {
  return read_integer(
      key, fmt::format("a whole number from {} to {}", min, max),
      [=](std::int64_t number) { return min <= number && number <= max; }, to);
}

Location TableReader::status_code(std::string_view key, const std::vector<int>& choices, int& to) {
  std::int64_t value = 0;
  const Location at = read_integer(
      key, fmt::format("{}", fmt::join(choices, " or ")),
      [&](std::int64_t number) {
        return std::find(choices.begin(), choices.end(), number) != choices.end();
      },
      value);
  if (at.line != 0) to = static_cast<int>(value);
  return at;
}

Location TableReader::read_integer(std::string_view key, const std::string& expected,
                                   const std::function<bool(std::int64_t)>& is_expected,
                                   std::int64_t& to) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  const Location at = begin_of(node->source());

  std::optional<std::int64_t> number;
  std::string found;
  if (node->is_integer()) {
    number = node->as_integer()->get();
    found = fmt::to_string(*number);
  } else if (node->is_string() && node->as_string()->get().find("${") != std::string::npos) {
    // TOML has variables in strings only, so `port = "${PORT}"` is a number as well.
    const std::optional<std::string> text = expanded(key, *node);
    if (!text) return {};
    number = whole_number(*text);
    found = in_quotes(*text);
  } else {
    wrong_type(key, *node, expected);
    return {};
  }

  if (!number || !is_expected(*number)) {
    errors_.add(at, fmt::format("{} is {}, expected {}", key, found, expected));
    return {};
  }
  to = *number;
  return at;
}

Location TableReader::boolean(std::string_view key, bool& to) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  if (!node->is_boolean()) {
    wrong_type(key, *node, "true or false");
    return {};
  }
  to = node->as_boolean()->get();
  return begin_of(node->source());
}

Location TableReader::share(std::string_view key, double& to) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  const std::optional<double> number = node->value<double>();
  if (!node->is_number()) {
    wrong_type(key, *node, "a number from 0 to 1");
    return {};
  }
  const Location at = begin_of(node->source());
  // Not a number is not within either.
  if (!number || !(*number >= 0 && *number <= 1)) {
    errors_.add(at,
                fmt::format("{} is {}, expected a number from 0 to 1", key, number.value_or(0)));
    return {};
  }
  to = *number;
  return at;
}

Location TableReader::read_choice(std::string_view key, const std::vector<std::string>& names,
                                  std::size_t& to) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  const Location at = begin_of(node->source());
  const std::string expected = fmt::format("one of \"{}\"", fmt::join(names, "\", \""));
  const std::optional<std::string> text = expanded_text(key, *node, expected);
  if (!text) return {};

  const auto chosen = std::find(names.begin(), names.end(), *text);
  if (chosen == names.end()) {
    errors_.add(at, fmt::format("{} is {}, expected {}{}", key, in_quotes(*text), expected,
                                suggestion(*text, names)));
    return {};
  }
  to = static_cast<std::size_t>(chosen - names.begin());
  return at;
}

Location TableReader::value_map(std::string_view key, Value& to) {
  const toml::table* entries = table(key);
  if (entries == nullptr) return {};
  std::optional<Value> result = value(std::string(key), *entries);
  if (!result) return {};
  to = *std::move(result);
  return to.at;
}

std::optional<Value> TableReader::value(const std::string& key, const toml::node& node) {
  Value result;
  result.at = begin_of(node.source());

  bool complete = true;
  switch (node.type()) {
    case toml::node_type::boolean:
      result.data = node.as_boolean()->get();
      break;
    case toml::node_type::integer:
      result.data = node.as_integer()->get();
      break;
    case toml::node_type::floating_point:
      result.data = node.as_floating_point()->get();
      break;
    case toml::node_type::string: {
      std::optional<std::string> text = expanded(key, node);
      if (!text) return std::nullopt;
      result.data = *std::move(text);
      break;
    }
    case toml::node_type::array: {
      Value::List list;
      for (const toml::node& element : *node.as_array()) {
        std::optional<Value> item = value(fmt::format("{}[{}]", key, list.size()), element);
        complete = complete && item.has_value();
        list.push_back(item ? *std::move(item) : Value{});
      }
      result.data = std::move(list);
      break;
    }
    case toml::node_type::table: {
      Value::Map map;
      for (const auto& [name, element] : in_file_order(*node.as_table())) {
        std::optional<Value> item = value(fmt::format("{}.{}", key, name->str()), *element);
        complete = complete && item.has_value();
        if (item) map.push_back({std::string(name->str()), *std::move(item)});
      }
      result.data = std::move(map);
      break;
    }
    default:
      errors_.add(result.at, fmt::format("{} is {}, which no plugin can take: write it as a string",
                                         key, type_name(node)));
      return std::nullopt;
  }
  if (!complete) return std::nullopt;
  return result;
}

const toml::table* TableReader::table(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) wrong_type(key, *node, "a table");
  return node->as_table();
}

std::vector<const toml::table*> TableReader::tables(std::string_view key) {
  const std::string expected = fmt::format("one [[{}]] (two brackets) for each", key);
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  if (!node->is_array()) {
    wrong_type(key, *node, expected);
    return {};
  }
  std::vector<const toml::table*> result;
  for (const toml::node& element : *node->as_array()) {
    if (element.is_table()) {
      result.push_back(element.as_table());
    } else {
      wrong_type(fmt::format("an element of {}", key), element, "a table");
    }
  }
  return result;
}

void TableReader::refuse_others(std::initializer_list<std::string_view> later) {
  for (auto&& [key, node] : table_) {
    const std::string_view name = key.str();
    if (std::find(asked_.begin(), asked_.end(), name) != asked_.end()) continue;

    const Location at = begin_of(key.source());
    if (std::find(later.begin(), later.end(), name) != later.end()) {
      errors_.add(at, fmt::format("`{}` is not supported by this version yet", name));
    } else {
      errors_.add(at, fmt::format("unknown key {} in {}{}", in_quotes(name), label_,
                                  suggestion(name, asked_)));
    }
  }
}

}  // namespace flow::core
