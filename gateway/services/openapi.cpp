// SPDX-License-Identifier: Apache-2.0
#include "gateway/services/openapi.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/text.hpp"
#include "core/version.hpp"
#include "fmt/format.h"
#include "gateway/services/http_paths.hpp"

namespace flow::gateway {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

// ---- JSON ---------------------------------------------------------------------------------------

std::string quoted(std::string_view text) { return '"' + core::escape_json(text) + '"'; }

// Members of an object, in the order in which they are added.
class Object {
 public:
  Object& add(std::string_view name, std::string_view json) {
    if (!text_.empty()) text_ += ',';
    fmt::format_to(std::back_inserter(text_), "{}:{}", quoted(name), json);
    return *this;
  }
  std::string json() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

template <typename Items, typename ToJson>
std::string list(const Items& items, ToJson&& to_json) {
  std::string text;
  for (const auto& item : items) {
    if (!text.empty()) text += ',';
    text += to_json(item);
  }
  return "[" + text + "]";
}

// The schemas of executors, as JSON. What pydantic keeps under "definitions" of each schema must be
// among the components of the document, or its references lead nowhere.
class Schemas {
 public:
  // `name` is that of the schema in the document.
  std::string json(const Struct& schema, const std::string& name) {
    std::string text;
    append(schema, name, Top::Yes, text);
    return text;
  }
  const std::map<std::string, std::string>& components() const { return components_; }

 private:
  enum class Top { No, Yes };

  static bool holds_definitions(std::string_view key) {
    return key == "definitions" || key == "$defs";
  }

  void append(const Struct& object, const std::string& name, Top top, std::string& out) {
    const std::map<std::string_view, const Value*> sorted = [&] {
      std::map<std::string_view, const Value*> members;
      for (const auto& [key, value] : object.fields()) members.emplace(key, &value);
      return members;
    }();
    out += '{';
    bool first = true;
    for (const auto& [key, value] : sorted) {
      if (top == Top::Yes && holds_definitions(key)) {
        define(value->struct_value(), name);
        continue;
      }
      if (!std::exchange(first, false)) out += ',';
      out += quoted(key) + ':';
      if (key == "$ref" && value->kind_case() == Value::kStringValue) {
        out += quoted(redirected(value->string_value(), name));
      } else {
        append(*value, name, out);
      }
    }
    out += '}';
  }

  void append(const Value& value, const std::string& name, std::string& out) {
    switch (value.kind_case()) {
      case Value::kStructValue:
        return append(value.struct_value(), name, Top::No, out);
      case Value::kListValue:
        out += list(value.list_value().values(), [&](const Value& item) {
          std::string text;
          append(item, name, text);
          return text;
        });
        return;
      case Value::kStringValue:
        out += quoted(value.string_value());
        return;
      case Value::kBoolValue:
        out += value.bool_value() ? "true" : "false";
        return;
      case Value::kNumberValue:
        if (std::isfinite(value.number_value())) {
          fmt::format_to(std::back_inserter(out), "{}", value.number_value());
          return;
        }
        [[fallthrough]];
      default:
        out += "null";
    }
  }

  void define(const Struct& definitions, const std::string& name) {
    for (const auto& [key, definition] : definitions.fields()) {
      std::string text;
      append(definition, name, text);
      components_.emplace(component(key, name), std::move(text));
    }
  }

  static std::string redirected(std::string_view reference, const std::string& name) {
    for (const std::string_view place : {"#/definitions/", "#/$defs/"}) {
      if (!reference.starts_with(place)) continue;
      return "#/components/schemas/" + component(reference.substr(place.size()), name);
    }
    return std::string(reference);
  }

  // Names of components have letters, digits and "._-" only.
  static std::string component(std::string_view key, const std::string& name) {
    std::string text = name + "." + std::string(key);
    std::ranges::replace_if(
        text,
        [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '_' && c != '-'; },
        '_');
    return text;
  }

  std::map<std::string, std::string> components_;
};

// ---- what executors tell ------------------------------------------------------------------------

const Value* member(const Struct& object, std::string_view key) {
  const auto found = object.fields().find(std::string(key));
  return found == object.fields().end() ? nullptr : &found->second;
}

// {"input": {"name": ..., "model": <schema>}}: the schema; nullptr if there is none.
const Struct* model(const Struct& endpoint, std::string_view part) {
  const Value* described = member(endpoint, part);
  if (described == nullptr) return nullptr;
  const Value* schema = member(described->struct_value(), "model");
  if (schema == nullptr || schema->struct_value().fields().empty()) return nullptr;
  return &schema->struct_value();
}

std::string text_of(const Struct& endpoint, std::string_view key) {
  const Value* text = member(endpoint, key);
  return text == nullptr ? "" : text->string_value();
}

std::vector<std::string> texts_of(const Struct& endpoint, std::string_view key) {
  std::vector<std::string> texts;
  if (const Value* items = member(endpoint, key)) {
    for (const Value& item : items->list_value().values()) texts.push_back(item.string_value());
  }
  return texts;
}

// Answers have every member of a document, null where there is nothing.
Struct with_nulls(Struct document) {
  const auto properties = document.mutable_fields()->find("properties");
  if (properties == document.mutable_fields()->end()) return document;
  for (auto& [name, property] : *properties->second.mutable_struct_value()->mutable_fields()) {
    const auto type = property.mutable_struct_value()->mutable_fields()->find("type");
    if (type == property.mutable_struct_value()->mutable_fields()->end() ||
        type->second.kind_case() != Value::kStringValue) {
      continue;
    }
    Value either;
    either.mutable_list_value()->add_values()->set_string_value(type->second.string_value());
    either.mutable_list_value()->add_values()->set_string_value("null");
    type->second = std::move(either);
  }
  return document;
}

// "/search/images" as an identifier: "search_images", or "search_images_2" if that is taken.
std::string identifier(std::string_view path, std::set<std::string>& taken) {
  std::string name(path.substr(std::min(path.find_first_not_of('/'), path.size())));
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  if (name.empty()) name = "root";
  std::string unique = name;
  for (int i = 2; !taken.insert(unique).second; ++i) unique = fmt::format("{}_{}", name, i);
  return unique;
}

// ---- paths --------------------------------------------------------------------------------------

// In the order in which pages show them.
constexpr std::string_view kTags =
    R"([{"name":"Any endpoint"},{"name":"Endpoints"},{"name":"CRUD"},{"name":"Probes"}])";
constexpr std::string_view kRequest = R"({"$ref":"#/components/schemas/Request"})";
constexpr std::string_view kResponse = R"({"$ref":"#/components/schemas/Response"})";
constexpr std::string_view kDocument = R"({"$ref":"#/components/schemas/Document"})";

std::string content(std::string_view schema, std::string_view example = "") {
  Object media;
  media.add("schema", schema);
  if (!example.empty()) media.add("example", example);
  return Object().add("application/json", media.json()).json();
}

// What may come instead of an answer.
Object failures() {
  return Object()
      .add("400", R"({"$ref":"#/components/responses/Failed"})")
      .add("415", R"({"$ref":"#/components/responses/Refused"})")
      .add("422", R"({"$ref":"#/components/responses/NotARequest"})")
      .add("429", R"({"$ref":"#/components/responses/Failed"})")
      .add("503", R"({"$ref":"#/components/responses/Failed"})")
      .add("504", R"({"$ref":"#/components/responses/Failed"})");
}

std::string responses(std::string_view schema) {
  constexpr std::string_view kDescription =
      R"("The documents as the executors leave them. header.status is null, or says which )"
      R"(executor failed and why.")";
  return failures()
      .add("200", Object().add("description", kDescription).add("content", content(schema)).json())
      .json();
}

struct Operation {
  std::string tag;
  std::string id;
  std::string summary;
  std::string description;
  std::string request{kRequest};
  std::string example = R"({"data":[{"text":"hello, world!"}]})";
  std::string response{kResponse};
  std::string executors = {};  // a list; who serves it
};

std::string operation_json(const Operation& operation) {
  Object json;
  json.add("tags", "[" + quoted(operation.tag) + "]")
      .add("operationId", quoted(operation.id))
      .add("summary", quoted(operation.summary));
  if (!operation.description.empty()) json.add("description", quoted(operation.description));
  if (!operation.executors.empty()) json.add("x-flow-executors", operation.executors);
  return json
      .add("requestBody", Object()
                              .add("required", "true")
                              .add("content", content(operation.request, operation.example))
                              .json())
      .add("responses", responses(operation.response))
      .json();
}

std::string offer_json(const Endpoints::Offer& offer) {
  return Object()
      .add("executor", quoted(offer.executor))
      .add("summary", quoted(text_of(offer.schema, "summary")))
      .add("reads", list(texts_of(offer.schema, "reads"), quoted))
      .add("writes", list(texts_of(offer.schema, "writes"), quoted))
      .json();
}

// "encode: turns text into vectors (reads text; writes embedding)", a line for each executor.
std::string description_of(const Endpoints::Offers& offers) {
  std::string text;
  for (const Endpoints::Offer& offer : offers) {
    const auto reads = texts_of(offer.schema, "reads");
    const auto writes = texts_of(offer.schema, "writes");
    fmt::format_to(std::back_inserter(text), "{}- **{}**", text.empty() ? "" : "\n",
                   offer.executor);
    if (const std::string summary = text_of(offer.schema, "summary"); !summary.empty()) {
      text += ": " + summary;
    }
    if (!reads.empty()) text += fmt::format("; reads {}", fmt::join(reads, ", "));
    if (!writes.empty()) text += fmt::format("; writes {}", fmt::join(writes, ", "));
  }
  return text;
}

std::string summary_of(std::string_view path, const Endpoints::Offers& offers) {
  const auto told = std::ranges::find_if(offers, [](const Endpoints::Offer& offer) {
    return !text_of(offer.schema, "summary").empty();
  });
  return told == offers.end() ? fmt::format("Endpoint {}", path) : text_of(told->schema, "summary");
}

Operation endpoint_operation(const std::string& path, const std::string& id,
                             const Endpoints::Offers& offers, Schemas& schemas) {
  Operation operation{.tag = "Endpoints",
                      .id = id,
                      .summary = summary_of(path, offers),
                      .description = description_of(offers),
                      .executors = list(offers, offer_json)};
  const Struct* input = model(offers.front().schema, "input");
  const Struct* output = model(offers.back().schema, "output");
  Object body;
  body.add("data", Object()
                       .add("type", R"("array")")
                       .add("items", input == nullptr ? std::string(kDocument)
                                                      : schemas.json(*input, id + "_input"))
                       .json());
  std::string parameters = R"({"type":["object","null"]})";
  for (const Endpoints::Offer& offer : offers) {
    const Struct* described = model(offer.schema, "parameters");
    if (described == nullptr) continue;
    parameters = schemas.json(*described, id + "_parameters");
    break;
  }
  body.add("parameters", parameters)
      .add("targetExecutor", R"({"$ref":"#/components/schemas/TargetExecutor"})");
  operation.request = Object().add("type", R"("object")").add("properties", body.json()).json();
  if (output != nullptr) {
    operation.response = fmt::format(
        R"({{"allOf":[{},{{"type":"object","properties":{{"data":{{"type":["array","null"],"items":{}}}}}}}]}})",
        kResponse, schemas.json(with_nulls(*output), id + "_output"));
  }
  return operation;
}

// GET of an endpoint that streams.
std::string stream_json(const Operation& posted) {
  constexpr std::string_view kParameters =
      R"([{"name":"text","in":"query","schema":{"type":"string"}},)"
      R"({"name":"id","in":"query","schema":{"type":"string"}},)"
      R"({"name":"parameters","in":"query","description":"A JSON object",)"
      R"("content":{"application/json":{"schema":{"type":"object"}}}}])";
  constexpr std::string_view kEvents =
      R"({"description":"Events: update with a document, then end, or error with a status",)"
      R"("content":{"text/event-stream":{"schema":{"type":"string"}}}})";
  return Object()
      .add("tags", "[" + quoted(posted.tag) + "]")
      .add("operationId", quoted(posted.id + ".stream"))
      .add("summary", quoted(posted.summary + ", as a stream"))
      .add("description", quoted(posted.description))
      .add("parameters", kParameters)
      .add("responses", failures().add("200", kEvents).json())
      .json();
}

// Methods by path.
using Paths = std::map<std::string, Object>;

void add_endpoints(const Endpoints& endpoints, Schemas& schemas, Paths& paths) {
  std::set<std::string> taken;
  paths["/post"].add(
      "post",
      operation_json({.tag = "Any endpoint",
                      .id = identifier("/post", taken),
                      .summary = "Sends documents to any endpoint",
                      .description = "execEndpoint names it",
                      .request = R"({"$ref":"#/components/schemas/PostRequest"})",
                      .example = R"({"data":[{"text":"hello, world!"}],"execEndpoint":"/"})"}));
  for (const CrudPath& crud : kCrudPaths) {
    const std::string path(crud.path);
    if (crud.method == "POST" && endpoints.all().contains(path)) continue;
    paths[path].add(core::lower_case(crud.method),
                    operation_json({.tag = "CRUD",
                                    .id = identifier(path, taken),
                                    .summary = fmt::format("Sends documents to {}", path),
                                    .description = "Executors without it are passed over."}));
  }
  for (const auto& [path, offers] : endpoints.all()) {
    if (!has_own_path(path)) continue;
    const Operation operation = endpoint_operation(path, identifier(path, taken), offers, schemas);
    paths[path].add("post", operation_json(operation));
    if (streams(offers)) paths[path].add("get", stream_json(operation));
  }
}

std::string get(std::string_view id, std::string_view summary, std::string_view responses) {
  return fmt::format(R"({{"tags":["Probes"],"operationId":"{}","summary":"{}","responses":{}}})",
                     id, summary, responses);
}

void add_probes(Paths& paths) {
  constexpr std::string_view kStatus =
      R"({"200":{"description":"It is","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Status"}}}},)"
      R"("503":{"description":"It is not, and why","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Status"}}}}})";
  constexpr std::string_view kReady =
      R"({"200":{"description":"It is","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Readiness"}}}},)"
      R"("503":{"description":"It is not, and why","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Readiness"}}}}})";
  constexpr std::string_view kObject =
      R"({"200":{"description":"It does","content":{"application/json":{"schema":{"type":"object"}}}}})";
  paths["/dry_run"].add("get", get("dry_run", "Is the whole Flow ready?", kStatus));
  paths["/readyz"].add("get", get("readyz", "Is the whole Flow ready? In short", kReady));
  paths["/livez"].add("get", get("livez", "Does the gateway live?", kObject));
  paths["/status"].add("get", get("status", "Versions", kObject));
  paths["/"].add("get", get("root", "Does the gateway live?", kObject));
}

// ---- components ---------------------------------------------------------------------------------

constexpr std::string_view kSchemas = R"json(
"Document":{"type":"object","title":"Document","description":"Members that are absent, null or unknown are ignored; a document has one of blob, tensor and text.","properties":{
"id":{"type":["string","null"],"description":"32 hexadecimal digits are made for a document that has none"},
"parent_id":{"type":["string","null"]},
"granularity":{"type":["integer","null"],"minimum":0},
"adjacency":{"type":["integer","null"],"minimum":0},
"blob":{"type":["string","null"],"contentEncoding":"base64"},
"tensor":{"$ref":"#/components/schemas/Tensor"},
"mime_type":{"type":["string","null"]},
"text":{"type":["string","null"]},
"weight":{"type":["number","null"]},
"uri":{"type":["string","null"]},
"tags":{"type":["object","null"]},
"offset":{"type":["number","null"]},
"location":{"type":["array","null"],"items":{"type":"number"}},
"embedding":{"$ref":"#/components/schemas/Tensor"},
"modality":{"type":["string","null"]},
"evaluations":{"$ref":"#/components/schemas/Scores"},
"scores":{"$ref":"#/components/schemas/Scores"},
"chunks":{"type":["array","null"],"items":{"$ref":"#/components/schemas/Document"}},
"matches":{"type":["array","null"],"items":{"$ref":"#/components/schemas/Document"}}}},
"Tensor":{"type":["array","number","null"],"description":"Nested lists of numbers"},
"Scores":{"type":["object","null"],"additionalProperties":{"type":"object","properties":{
"value":{"type":["number","null"]},"op_name":{"type":["string","null"]},"description":{"type":["string","null"]},"ref_id":{"type":["string","null"]}}}},
"TargetExecutor":{"type":["string","null"],"description":"A regular expression: only executors whose names begin with a match are asked"},
"Documents":{"oneOf":[{"type":"array","items":{"$ref":"#/components/schemas/Document"}},
{"type":"object","required":["docs"],"properties":{"docs":{"type":"array","items":{"$ref":"#/components/schemas/Document"}}}},{"type":"null"}]},
"Request":{"type":"object","properties":{"data":{"$ref":"#/components/schemas/Documents"},"parameters":{"type":["object","null"]},"targetExecutor":{"$ref":"#/components/schemas/TargetExecutor"}}},
"PostRequest":{"allOf":[{"$ref":"#/components/schemas/Request"},{"type":"object","properties":{"execEndpoint":{"type":["string","null"],"default":"/","examples":["/"]}}}]},
"Response":{"type":"object","properties":{"header":{"$ref":"#/components/schemas/Header"},"parameters":{"type":["object","null"]},
"routes":{"type":["array","null"],"items":{"$ref":"#/components/schemas/Route"}},
"data":{"type":["array","null"],"items":{"$ref":"#/components/schemas/Document"}}}},
"Header":{"type":"object","properties":{"requestId":{"type":["string","null"]},"status":{"oneOf":[{"$ref":"#/components/schemas/Status"},{"type":"null"}]},"execEndpoint":{"type":["string","null"]},"targetExecutor":{"type":["string","null"]}}},
"Route":{"type":"object","properties":{"executor":{"type":"string"},"startTime":{"type":["string","null"],"format":"date-time"},"endTime":{"type":["string","null"],"format":"date-time"},"status":{"oneOf":[{"$ref":"#/components/schemas/Status"},{"type":"null"}]}}},
"Status":{"type":"object","properties":{"code":{"type":"integer","enum":[0,1]},"description":{"type":"string"},
"exception":{"oneOf":[{"type":"object","properties":{"name":{"type":"string"},"args":{"type":"array","items":{"type":"string"}},"stacks":{"type":"array","items":{"type":"string"}},"executor":{"type":"string"}}},{"type":"null"}]}}},
"Readiness":{"type":"object","properties":{"ready":{"type":"boolean"},"reason":{"type":"string"}}},
"Detail":{"type":"object","properties":{"detail":{"type":"string"}}},
"Problems":{"type":"object","properties":{"detail":{"type":"array","items":{"type":"object","properties":{"loc":{"type":"array","items":{"type":["string","integer"]}},"msg":{"type":"string"},"type":{"type":"string"}}}}}})json";

constexpr std::string_view kResponses = R"json({
"Failed":{"description":"Why there is no answer; the documents are those of the request","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Response"}}}},
"Refused":{"description":"Why the request is not looked at","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Detail"}}}},
"NotARequest":{"description":"Where the JSON is wrong, and how","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Problems"}}}}})json";

std::string one_line(std::string_view json) {
  std::string text(json);
  std::erase(text, '\n');
  return text;
}

std::string components_json(const Schemas& schemas) {
  std::string all = one_line(kSchemas);
  for (const auto& [name, json] : schemas.components()) all += "," + quoted(name) + ":" + json;
  return Object().add("schemas", "{" + all + "}").add("responses", one_line(kResponses)).json();
}

}  // namespace

std::string openapi_document(const Endpoints& endpoints, std::string_view title) {
  Schemas schemas;
  Paths paths;
  add_endpoints(endpoints, schemas, paths);
  add_probes(paths);
  Object all;
  for (const auto& [path, methods] : paths) all.add(path, methods.json());
  return Object()
      .add("openapi", R"("3.1.0")")
      .add("info",
           Object().add("title", quoted(title)).add("version", quoted(core::kVersion)).json())
      .add("tags", kTags)
      .add("security", "[]")
      .add("paths", all.json())
      .add("components", components_json(schemas))
      .json();
}

}  // namespace flow::gateway
