// SPDX-License-Identifier: Apache-2.0
#include "host/executor/endpoint_schemas.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "host/executor/answer.hpp"

namespace flow::host {
namespace {

using flow::v1::PluginInfo;
using google::protobuf::Struct;
using google::protobuf::Value;

// ---- JSON, as short as it gets
// -------------------------------------------------------------------

Value& entry(Struct& map, const std::string& key) { return (*map.mutable_fields())[key]; }
void set(Struct& map, const std::string& key, std::string_view text) {
  entry(map, key).set_string_value(std::string(text));
}
Struct& child(Struct& map, const std::string& key) {
  return *entry(map, key).mutable_struct_value();
}
template <typename Texts>
void set_list(Struct& map, const std::string& key, const Texts& texts) {
  auto& list = *entry(map, key).mutable_list_value();
  for (const auto& text : texts) list.add_values()->set_string_value(std::string(text));
}

Struct of_type(std::string_view type) {
  Struct schema;
  set(schema, "type", type);
  if (type == "array") child(schema, "items");  // of anything
  return schema;
}

Struct object(std::string_view title) {
  Struct schema = of_type("object");
  set(schema, "title", title);
  child(schema, "properties");
  return schema;
}

// ---- documents
// -----------------------------------------------------------------------------------

struct Field {
  std::string_view name;
  std::string_view type;
};
constexpr std::array kFields = {
    Field{"id", "string"},        Field{"text", "string"},   Field{"uri", "string"},
    Field{"mime_type", "string"}, Field{"blob", "string"},   Field{"tensor", "array"},
    Field{"embedding", "array"},  Field{"tags", "object"},   Field{"scores", "object"},
    Field{"chunks", "array"},     Field{"matches", "array"},
};

Struct field_schema(const Field& field) {
  Struct schema = of_type(field.type);
  if (field.name == "blob") set(schema, "format", "byte");  // OpenAPI's word for base64
  return schema;
}

// A name in the metadata may lead into a field: "tags.price".
bool names(std::string_view metadata, std::string_view field) {
  return metadata.substr(0, metadata.find('.')) == field;
}

Struct document_schema(const std::string& title, const std::vector<std::string>& used) {
  Struct schema = object(title);
  for (const auto& field : kFields) {
    const bool is_used = used.empty() || field.name == "id" ||
                         std::any_of(used.begin(), used.end(),
                                     [&](const auto& name) { return names(name, field.name); });
    if (is_used) child(child(schema, "properties"), std::string(field.name)) = field_schema(field);
  }
  return schema;
}

// ---- parameters
// ----------------------------------------------------------------------------------

std::string_view json_type(std::string_view type) {
  return type == "list" ? "array" : type == "map" ? "object" : type;
}

Struct key_schema(const PluginInfo::ConfigKey& key) {
  Struct schema = of_type(json_type(key.type()));
  if (key.has_default_()) entry(schema, "default") = key.default_();
  if (key.has_min()) entry(schema, "minimum").set_number_value(key.min());
  if (key.has_max()) entry(schema, "maximum").set_number_value(key.max());
  if (!key.choices().empty()) set_list(schema, "enum", key.choices());
  if (!key.summary().empty()) set(schema, "description", key.summary());
  return schema;
}

void describe_parameters(const PluginInfo::Endpoint& endpoint, const std::string& name,
                         Struct& to) {
  if (endpoint.parameters().empty() && endpoint.parameter_schema().empty()) {
    entry(to, "name").set_null_value(google::protobuf::NULL_VALUE);
    entry(to, "model").set_null_value(google::protobuf::NULL_VALUE);
    return;
  }
  set(to, "name", name);
  auto& schema = child(to, "model");
  schema = object(name);
  auto& properties = child(schema, "properties");
  for (const auto& parameter : endpoint.parameters()) child(properties, parameter);
  std::vector<std::string> required;
  for (const auto& key : endpoint.parameter_schema()) {
    child(properties, key.name()) = key_schema(key);
    if (key.required()) required.push_back(key.name());
  }
  if (!required.empty()) set_list(schema, "required", required);
}

// ---- endpoints
// -----------------------------------------------------------------------------------

// "/search/images" as a name of schemas: "search_images".
std::string name_of(std::string_view path) {
  std::string name(path.substr(std::min(path.find_first_not_of("/_"), path.size())));
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name.empty() ? "root" : name;
}

void describe_documents(const std::string& name, const std::vector<std::string>& used, Struct& to) {
  set(to, "name", name);
  child(to, "model") = document_schema(name, used);
}

Struct describe(const PluginInfo::Endpoint& endpoint) {
  const std::string name = name_of(endpoint.path());
  const std::vector<std::string> reads(endpoint.reads().begin(), endpoint.reads().end());
  std::vector<std::string> answered = reads;  // a field that is read is sent back
  answered.insert(answered.end(), endpoint.writes().begin(), endpoint.writes().end());
  Struct result;
  describe_documents(name + "_input", reads, child(result, "input"));
  describe_documents(name + "_output", answered, child(result, "output"));
  entry(result, "is_generator").set_bool_value(endpoint.streams());
  entry(result, "is_singleton_doc").set_bool_value(endpoint.streams());
  describe_parameters(endpoint, name + "_parameters", child(result, "parameters"));
  if (endpoint.idempotent()) entry(result, "idempotent").set_bool_value(true);
  set(result, "summary", endpoint.summary());
  set_list(result, "reads", endpoint.reads());
  set_list(result, "writes", endpoint.writes());
  return result;
}

}  // namespace

Struct endpoint_schemas(const PluginInfo& plugin) {
  Struct schemas;
  for (const auto& path : endpoint_paths(plugin)) {
    const auto known = std::find_if(plugin.endpoints().begin(), plugin.endpoints().end(),
                                    [&](const auto& listed) { return listed.path() == path; });
    PluginInfo::Endpoint endpoint;
    endpoint.set_path(path);
    child(schemas, path) = describe(known == plugin.endpoints().end() ? endpoint : *known);
  }
  return schemas;
}

}  // namespace flow::host
