// SPDX-License-Identifier: Apache-2.0
#include "flowctl/convert/convert.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "core/config.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "flowctl/convert/toml_text.hpp"
#include "flowctl/convert/variables.hpp"
#include "flowctl/convert/yaml.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::ctl {
namespace {

using core::Value;

// What the output is called while it is checked; no message that a person sees has it.
constexpr std::string_view kOutput = "flow.toml";

enum class Kind {
  Text,
  Whole,
  Flag,
  Milliseconds,
  Names,  // one text or a list of them
  Texts,  // a map of texts
  Any,
};

struct Rule {
  std::string_view jina;
  std::string_view ours;
  Kind kind;
};

constexpr std::array kGatewayRules = {
    Rule{"host", "host", Kind::Text},
    Rule{"timeout_send", "timeout_send", Kind::Milliseconds},
    Rule{"retries", "retries", Kind::Whole},
    Rule{"prefetch", "prefetch", Kind::Whole},
    Rule{"cors", "cors", Kind::Flag},
};

constexpr std::array kExecutorRules = {
    Rule{"name", "name", Kind::Text},
    Rule{"uses_with", "uses_with", Kind::Any},
    Rule{"host", "host", Kind::Text},
    Rule{"port", "port", Kind::Whole},
    Rule{"replicas", "replicas", Kind::Whole},
    Rule{"shards", "shards", Kind::Whole},
    Rule{"polling", "polling", Kind::Any},
    Rule{"needs", "needs", Kind::Names},
    Rule{"env", "env", Kind::Texts},
    Rule{"external", "external", Kind::Flag},
    Rule{"floating", "floating", Kind::Flag},
    Rule{"tls", "tls", Kind::Flag},
    Rule{"when", "when", Kind::Any},
    Rule{"timeout_ready", "timeout_ready", Kind::Milliseconds},
};

// Why keys that people will look for are not there.
constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kReasons = {{
    {"py_modules", "an executor is a shared library, see docs/writing-a-plugin.md"},
    {"uses_requests", "a plugin says itself which endpoints it serves"},
    {"uses_metas", "what a plugin says of itself stands in its metadata"},
    {"uses_dynamic_batching", "a plugin says itself how it wants its batches"},
    {"uses_before", "make it an executor of its own, before this one"},
    {"uses_after", "make it an executor of its own, after this one"},
    {"grpc_server_options", "limits stand in [gateway]"},
    {"grpc_channel_options", "limits stand in [gateway]"},
    {"volumes", "executors are processes, not containers"},
    {"docker_kwargs", "executors are processes, not containers"},
    {"gpus", "a plugin says itself whether it needs one"},
    {"install_requirements", "a plugin brings what it needs or links it"},
    {"log_config", "the log's level and format stand in [log]"},
    {"quiet", "the log's level stands in [log]"},
    {"workspace", "give a folder to the plugin in its uses_with"},
    {"expose_endpoints", "every endpoint has its path"},
}};

std::string_view kind_of(const Value& value) {
  constexpr std::array<std::string_view, 7> kNames = {
      "nothing", "true or false", "a whole number", "a number", "a text", "a list", "a map"};
  return kNames[value.data.index()];
}

std::string_view wanted(Kind kind) {
  switch (kind) {
    case Kind::Text:
      return "a text";
    case Kind::Whole:
      return "a whole number";
    case Kind::Flag:
      return "true or false";
    case Kind::Milliseconds:
      return "milliseconds";
    case Kind::Names:
      return "a name or a list of names";
    case Kind::Texts:
      return "a map of texts";
    case Kind::Any:
      break;
  }
  return "a value";
}

absl::Status refused(std::string_view what) {
  return core::error(absl::StatusCode::kInvalidArgument, what);
}

absl::Status wrong_kind(Kind kind, const Value& value) {
  return refused(fmt::format("expected {}, found {}", wanted(kind), kind_of(value)));
}

// Variables in all texts of a value, as flow.toml writes them.
absl::Status convert_texts(Value& value) {
  if (auto* text = std::get_if<std::string>(&value.data)) {
    FLOW_ASSIGN_OR_RETURN(*text, convert_variables(*text));
  } else if (auto* list = std::get_if<Value::List>(&value.data)) {
    for (Value& item : *list) FLOW_RETURN_IF_ERROR(convert_texts(item));
  } else if (auto* map = std::get_if<Value::Map>(&value.data)) {
    for (auto& entry : *map) FLOW_RETURN_IF_ERROR(convert_texts(entry.value));
  }
  return absl::OkStatus();
}

// A scalar as a text, as Python's str() gives it to an environment.
std::optional<std::string> scalar_text(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value.data)) return *text;
  if (std::holds_alternative<Value::List>(value.data) ||
      std::holds_alternative<Value::Map>(value.data) ||
      std::holds_alternative<std::nullptr_t>(value.data)) {
    return std::nullopt;
  }
  return toml_value(value);
}

// The value in flow.toml.
absl::StatusOr<std::string> convert_value(Kind kind, Value value) {
  FLOW_RETURN_IF_ERROR(convert_texts(value));
  const auto* text = std::get_if<std::string>(&value.data);
  const auto* number = std::get_if<std::int64_t>(&value.data);
  const bool variable = text != nullptr && text->find("${") != text->npos;
  switch (kind) {
    case Kind::Any:
      return toml_value(value);
    case Kind::Text:
      if (text == nullptr) return wrong_kind(kind, value);
      return toml_string(*text);
    case Kind::Flag:
      if (!std::holds_alternative<bool>(value.data)) return wrong_kind(kind, value);
      return toml_value(value);
    case Kind::Whole:
      if (number == nullptr && !variable) return wrong_kind(kind, value);
      return toml_value(value);
    case Kind::Milliseconds:
      if (variable) return toml_string(*text + "ms");
      if (number == nullptr) return wrong_kind(kind, value);
      if (*number < 0) return refused("no limit has no counterpart: choose a long one");
      return toml_string(fmt::format("{}ms", *number));
    case Kind::Names:
      if (text != nullptr) return toml_value({Value::List{value}, value.at});
      if (!std::holds_alternative<Value::List>(value.data)) return wrong_kind(kind, value);
      return toml_value(value);
    case Kind::Texts: {
      auto* map = std::get_if<Value::Map>(&value.data);
      if (map == nullptr) return wrong_kind(kind, value);
      for (auto& entry : *map) {
        const auto scalar = scalar_text(entry.value);
        if (!scalar) return wrong_kind(kind, value);
        entry.value.data = *scalar;
      }
      return toml_value(value);
    }
  }
  return wrong_kind(kind, value);
}

// A name for a plugin from what Jina's `uses` said: the last part of a path, without its tag.
std::string plugin_name(std::string_view uses) {
  while (uses.ends_with('/')) uses.remove_suffix(1);
  uses.remove_prefix(uses.rfind('/') + 1);  // npos + 1 is 0
  uses = uses.substr(0, uses.find_first_of(":@"));
  for (const std::string_view suffix : {".yml", ".yaml", ".json", ".py"}) {
    if (uses.ends_with(suffix)) uses.remove_suffix(suffix.size());
  }
  std::string name;
  for (const char c : uses) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    name += plain ? c : '-';
  }
  return name.find_first_not_of("-.") == name.npos ? "plugin" : name;
}

// One conversion. Confined to convert_flow.
class Converter {
 public:
  explicit Converter(const std::string& file) : file_(file) {}

  absl::StatusOr<Conversion> convert(const YamlDocument& document) {
    const auto* flow = std::get_if<Value::Map>(&document.root.data);
    if (flow == nullptr) {
      return at(document.root.at.line,
                fmt::format("expected a map with \"executors\", found {}", kind_of(document.root)));
    }
    note_tags(document);
    const Value* executors = nullptr;
    for (const auto& [key, value] : *flow) {
      if (key == "executors") {
        executors = &value;
      } else if (key == "jtype") {
        const auto* type = std::get_if<std::string>(&value.data);
        if (type == nullptr || *type != "Flow") {
          return at(value.at.line, fmt::format("jtype is {}, expected Flow: only a Flow converts",
                                               type == nullptr ? std::string(kind_of(value))
                                                               : core::in_quotes(*type)));
        }
      } else if (key == "with" || key == "gateway") {
        convert_gateway(key, value);
      } else if (key != "version") {
        no_counterpart(key, value);
      }
    }
    const auto* list = executors == nullptr ? nullptr : std::get_if<Value::List>(&executors->data);
    if (list == nullptr || list->empty()) {
      return at(executors == nullptr ? document.root.at.line : executors->at.line,
                "expected a list \"executors\" with at least one: a Flow without them has nothing "
                "to serve");
    }
    for (const Value& executor : *list) convert_executor(executor);
    return finish();
  }

 private:
  // One line of the output, and the line of the YAML that it comes from.
  struct Line {
    std::string text;
    std::string key;  // of Jina's; empty: a header
    int source = 0;
    bool can_go = true;
  };

  absl::Status at(int line, std::string_view what) const {
    return refused(fmt::format("{}:{}: {}", file_, line, what));
  }

  void note(int line, std::string_view what) { notes_.emplace_back(line, std::string(what)); }
  void note(std::string_view key, const Value& value, std::string_view what) {
    note(value.at.line, fmt::format("{}: {}", core::one_line(key), what));
  }

  void note_tags(const YamlDocument& document) {
    for (const auto& [place, tag] : document.tags) {
      if (place == document.root.at && tag == "!Flow") continue;
      note(place.line, fmt::format("the tag {} has no counterpart", core::in_quotes(tag)));
    }
  }

  void no_counterpart(std::string_view key, const Value& value) {
    const auto* reason =
        std::ranges::find(kReasons, key, [](const auto& pair) { return pair.first; });
    const auto scalar = scalar_text(value);
    const std::string shown =
        scalar && scalar->size() <= 60 ? core::one_line(*scalar) + " " : std::string();
    note(key, value,
         fmt::format("{}has no counterpart{}", shown,
                     reason == kReasons.end() ? "" : fmt::format(": {}", reason->second)));
  }

  void put(std::vector<Line>& lines, std::string_view ours, std::string_view key, Kind kind,
           const Value& value) {
    if (std::holds_alternative<std::nullptr_t>(value.data)) return;  // Jina's default
    const auto converted = convert_value(kind, value);
    if (!converted.ok()) return note(key, value, core::message(converted.status()));
    lines.push_back({fmt::format("{} = {}", ours, *converted), std::string(key), value.at.line});
  }

  template <std::size_t count>
  bool put_by_rule(const std::array<Rule, count>& rules, std::vector<Line>& lines,
                   std::string_view key, const Value& value) {
    const auto* rule = std::ranges::find(rules, key, &Rule::jina);
    if (rule == rules.end()) return false;
    put(lines, rule->ours, key, rule->kind, value);
    return true;
  }

  // `with` of the Flow and its `gateway` say the same things.
  void convert_gateway(std::string_view section, const Value& settings) {
    const auto* map = std::get_if<Value::Map>(&settings.data);
    if (map == nullptr) {
      return note(section, settings, fmt::format("expected a map, found {}", kind_of(settings)));
    }
    const Value* certificate = nullptr;
    const Value* key_file = nullptr;
    for (const auto& [key, value] : *map) {
      if (key == "name") {
        put(top_, "name", key, Kind::Text, value);
      } else if (key == "port" || key == "port_expose") {
        convert_port(key, value);
      } else if (key == "protocol" || key == "jtype" || key == "version") {
        continue;  // the one port speaks all protocols
      } else if (key == "ssl_certfile") {
        certificate = &value;
      } else if (key == "ssl_keyfile") {
        key_file = &value;
      } else if (!put_by_rule(kGatewayRules, gateway_, key, value)) {
        no_counterpart(key, value);
      }
    }
    if (certificate != nullptr && key_file != nullptr) {
      const Value tls{Value::Map{{"certificate", *certificate}, {"key", *key_file}},
                      certificate->at};
      put(gateway_, "tls", "ssl_certfile", Kind::Any, tls);
    } else if (certificate != nullptr || key_file != nullptr) {
      note(certificate != nullptr ? "ssl_certfile" : "ssl_keyfile",
           certificate != nullptr ? *certificate : *key_file,
           "needs both ssl_certfile and ssl_keyfile");
    }
  }

  // Jina has a port for each protocol.
  void convert_port(const std::string& key, const Value& value) {
    const auto* list = std::get_if<Value::List>(&value.data);
    if (list == nullptr) return put(gateway_, "port", key, Kind::Whole, value);
    if (list->empty()) return;
    Value first = list->front();
    first.at = value.at;
    put(gateway_, "port", key, Kind::Whole, first);
    if (list->size() > 1) {
      note(key, value, "one port serves all protocols: only the first has a counterpart");
    }
  }

  void convert_executor(const Value& executor) {
    const auto* map = std::get_if<Value::Map>(&executor.data);
    std::vector<Line> lines = {{"", "", 0}, {"[[executors]]", "", executor.at.line, false}};
    if (map == nullptr) {
      return note(executor.at.line,
                  fmt::format("executors: expected a map, found {}", kind_of(executor)));
    }
    const Value* uses = nullptr;
    for (const auto& [key, value] : *map) {
      if (key == "uses") {
        uses = &value;
      } else if (!put_by_rule(kExecutorRules, lines, key, value)) {
        no_counterpart(key, value);
      }
    }
    lines.insert(lines.begin() + 2, uses_line(uses, executor.at.line));
    executors_.insert(executors_.end(), lines.begin(), lines.end());
  }

  // `uses` is never left out: an executor without a plugin is none.
  Line uses_line(const Value* uses, int executor_line) {
    const auto line = [&](std::string_view plugin) {
      return Line{fmt::format("uses = {}", toml_string(plugin)), "uses",
                  uses == nullptr ? executor_line : uses->at.line, false};
    };
    // Jina's default gives back what it gets, and so does our echo.
    if (uses == nullptr || std::holds_alternative<std::nullptr_t>(uses->data)) return line("echo");
    const auto* text = std::get_if<std::string>(&uses->data);
    if (text == nullptr) {
      note("uses", *uses,
           fmt::format("{} has no counterpart: a plugin named \"plugin\" is expected in its place",
                       kind_of(*uses)));
      return line("plugin");
    }
    if (*text == "BaseExecutor") return line("echo");
    const std::string name = plugin_name(*text);
    const bool is_class = name == *text && name[0] >= 'A' && name[0] <= 'Z';
    if (is_class) {
      note("uses", *uses,
           fmt::format("the Python class {} has no counterpart: a plugin \"{}\" is expected in its "
                       "place",
                       core::one_line(*text), name));
    } else if (name != *text) {
      note("uses", *uses,
           fmt::format("{} has no counterpart: a plugin \"{}\" is expected in its place",
                       core::one_line(*text), name));
    }
    return line(name);
  }

  std::vector<Line> assemble() const {
    std::vector<Line> lines = top_;
    if (!gateway_.empty()) {
      if (!lines.empty()) lines.push_back({});
      lines.push_back({"[gateway]", "", 0, false});
      lines.insert(lines.end(), gateway_.begin(), gateway_.end());
    }
    lines.insert(lines.end(), executors_.begin(), executors_.end());
    if (!lines.empty() && lines.front().text.empty()) lines.erase(lines.begin());
    return lines;
  }

  // Asks our own check, and leaves out what it refuses, until it refuses nothing.
  absl::StatusOr<Conversion> finish() {
    std::vector<Line> lines = assemble();
    for (;;) {
      const auto checked = core::parse_config(text_of(lines), std::string(kOutput), environment());
      if (checked.ok()) break;
      FLOW_RETURN_IF_ERROR(leave_out(lines, core::message(checked.status())));
    }
    Conversion conversion;
    std::ranges::stable_sort(notes_, {}, [](const auto& entry) { return entry.first; });
    for (const auto& [line, what] : notes_) {
      conversion.notes.push_back(fmt::format("{}:{}: {}", file_, line, what));
    }
    conversion.toml = fmt::format("# Converted by flowctl from {}.\n", core::one_line(file_));
    for (const std::string& each : conversion.notes) {
      conversion.toml += fmt::format("# {}\n", core::one_line(each));
    }
    conversion.toml += '\n' + text_of(lines);
    return conversion;
  }

  // Variables that are not set here will be where the Flow runs.
  static core::Environment environment() {
    return [real = core::process_environment()](const std::string& name) {
      const auto value = real(name);
      return value ? value : std::optional<std::string>("1");
    };
  }

  static std::string text_of(const std::vector<Line>& lines) {
    std::string text;
    for (const Line& line : lines) text += line.text + '\n';
    return text;
  }

  // `errors`: lines of "flow.toml:12:8: what". Notes them, and empties the lines they name.
  absl::Status leave_out(std::vector<Line>& lines, std::string_view errors) {
    std::vector<std::size_t> gone;
    std::string_view rest = errors;
    while (!rest.empty()) {
      const std::string_view error = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), error.size() + 1));
      std::string_view what = error;
      const std::optional<std::size_t> index = line_of(what);
      if (!index || *index >= lines.size() || !lines[*index].can_go) {
        const int source = index && *index < lines.size() ? lines[*index].source : 0;
        return source == 0 ? refused(fmt::format("{}: {}", file_, what)) : at(source, what);
      }
      if (std::ranges::find(gone, *index) != gone.end()) continue;  // one reason is enough
      note(lines[*index].source, fmt::format("{}: {}", core::one_line(lines[*index].key), what));
      gone.push_back(*index);
    }
    std::ranges::sort(gone, std::greater<>());
    for (const std::size_t index : gone) {
      lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(index));
    }
    return absl::OkStatus();
  }

  // Takes "flow.toml:12:8: " off the front; the line is counted from 0.
  static std::optional<std::size_t> line_of(std::string_view& error) {
    const std::string prefix = fmt::format("{}:", kOutput);
    if (!error.starts_with(prefix)) return std::nullopt;
    std::size_t line = 0;
    const char* begin = error.data() + prefix.size();
    const auto [end, bad] = std::from_chars(begin, error.data() + error.size(), line);
    if (bad != std::errc() || line == 0) return std::nullopt;
    const std::size_t what = error.find(": ", static_cast<std::size_t>(end - error.data()));
    if (what == error.npos) return std::nullopt;
    error.remove_prefix(what + 2);
    return line - 1;
  }

  const std::string& file_;
  std::vector<std::pair<int, std::string>> notes_;
  std::vector<Line> top_;
  std::vector<Line> gateway_;
  std::vector<Line> executors_;
};

}  // namespace

absl::StatusOr<Conversion> convert_flow(std::string_view yaml, const std::string& file) {
  FLOW_ASSIGN_OR_RETURN(const YamlDocument document, read_yaml(yaml, file));
  return Converter(file).convert(document);
}

}  // namespace flow::ctl
