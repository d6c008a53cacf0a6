// SPDX-License-Identifier: Apache-2.0
#include "host/executor/values.hpp"

#include <cmath>
#include <iterator>
#include <string>
#include <string_view>

#include "core/text.hpp"

namespace flow::host {
namespace {

using google::protobuf::ListValue;
using google::protobuf::Struct;
using google::protobuf::Value;

flow_value of_kind(std::uint32_t kind) {
  flow_value value{};
  value.kind = kind;
  return value;
}

flow_value of_number(std::uint32_t kind, double number) {
  flow_value value = of_kind(kind);
  value.as.number = number;
  return value;
}

flow_value of_node(std::uint32_t kind, int count, const void* node) {
  flow_value value = of_kind(kind);
  value.count = static_cast<std::uint32_t>(count);
  value.as.node = node;
  return value;
}

const Struct* as_map(const flow_value* value) {
  return value != nullptr && value->kind == FLOW_MAP ? static_cast<const Struct*>(value->as.node)
                                                     : nullptr;
}

const ListValue* as_list(const flow_value* value) {
  return value != nullptr && value->kind == FLOW_LIST
             ? static_cast<const ListValue*>(value->as.node)
             : nullptr;
}

}  // namespace

flow_value view(const Struct& map) { return of_node(FLOW_MAP, map.fields_size(), &map); }

flow_value view(const ListValue& list) { return of_node(FLOW_LIST, list.values_size(), &list); }

flow_value view(const Value& value) {
  switch (value.kind_case()) {
    case Value::kBoolValue:
      return of_number(FLOW_BOOL, value.bool_value() ? 1 : 0);
    case Value::kNumberValue:
      return of_number(FLOW_NUMBER, value.number_value());
    case Value::kStringValue: {
      flow_value result = of_kind(FLOW_STRING);
      result.as.text = {value.string_value().data(), value.string_value().size()};
      return result;
    }
    case Value::kStructValue:
      return view(value.struct_value());
    case Value::kListValue:
      return view(value.list_value());
    case Value::kNullValue:
    case Value::KIND_NOT_SET:
      break;
  }
  return of_kind(FLOW_NULL);
}

flow_value value_get(const flow_value* map, flow_str key) noexcept {
  const auto* node = as_map(map);
  if (node == nullptr || !is_readable(key)) return of_kind(FLOW_NULL);
  const auto found = node->fields().find(std::string_view(key.data, key.size));
  return found == node->fields().end() ? of_kind(FLOW_NULL) : view(found->second);
}

flow_value value_at(const flow_value* list, std::uint64_t index) noexcept {
  if (const auto* node = as_list(list)) {
    if (index >= static_cast<std::uint64_t>(node->values_size())) return of_kind(FLOW_NULL);
    return view(node->values(static_cast<int>(index)));
  }
  if (const auto* node = as_map(list); node != nullptr && index < node->fields().size()) {
    return view(std::next(node->fields().begin(), static_cast<std::ptrdiff_t>(index))->second);
  }
  return of_kind(FLOW_NULL);
}

flow_str value_key(const flow_value* map, std::uint64_t index) noexcept {
  const auto* node = as_map(map);
  if (node == nullptr || index >= node->fields().size()) return {"", 0};
  const auto& key = std::next(node->fields().begin(), static_cast<std::ptrdiff_t>(index))->first;
  return {key.data(), key.size()};
}

bool assign(const flow_value& from, Value& to) {
  switch (from.kind) {
    case FLOW_NULL:
      to.set_null_value(google::protobuf::NULL_VALUE);
      return true;
    case FLOW_BOOL:
      to.set_bool_value(from.as.number != 0);
      return true;
    case FLOW_NUMBER:
      if (!std::isfinite(from.as.number)) return false;
      to.set_number_value(from.as.number);
      return true;
    case FLOW_STRING:
      if (!is_readable(from.as.text)) return false;
      if (!core::is_valid_utf8({from.as.text.data, from.as.text.size})) return false;
      to.set_string_value(from.as.text.data, from.as.text.size);
      return true;
    case FLOW_LIST:
      if (from.as.node == nullptr) return false;
      *to.mutable_list_value() = *as_list(&from);
      return true;
    case FLOW_MAP:
      if (from.as.node == nullptr) return false;
      *to.mutable_struct_value() = *as_map(&from);
      return true;
    default:
      return false;
  }
}

bool is_readable(flow_str text) { return text.data != nullptr || text.size == 0; }

}  // namespace flow::host
