// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace flow {

// A value as JSON has them: what tags and parameters are made of. Numbers are doubles, as they are
// on the wire. Reading never fails: what is something else reads as empty, zero or null.
//
//   flow::Json::Object tags = {{"lang", "en"}, {"pages", 3}, {"box", flow::Json::Array{0, 0, 1,
//   1}}}; double pages = tags["pages"].number();
//
// A value: copies are independent. Not to be changed by one thread while another uses it.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;

  Json() = default;  // null
  Json(std::nullptr_t) {}
  template <class Bool>
  requires std::same_as<Bool, bool>  // or every pointer would become one
  Json(Bool value) : data_(value) {}
  template <class Number>
  requires((std::integral<Number> || std::floating_point<Number>)&&!std::same_as<Number, bool>)
      Json(Number value)
      : data_(static_cast<double>(value)) {}
  Json(const char* text) : data_(std::string(text)) {}
  Json(std::string_view text) : data_(std::string(text)) {}
  Json(std::string text) : data_(std::move(text)) {}
  Json(Array items) : data_(std::move(items)) {}
  Json(Object members) : data_(std::move(members)) {}

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_number() const { return std::holds_alternative<double>(data_); }
  bool is_text() const { return std::holds_alternative<std::string>(data_); }
  bool is_array() const { return std::holds_alternative<Array>(data_); }
  bool is_object() const { return std::holds_alternative<Object>(data_); }

  bool boolean(bool otherwise = false) const {
    const bool* value = std::get_if<bool>(&data_);
    return value == nullptr ? otherwise : *value;
  }
  double number(double otherwise = 0) const {
    const double* value = std::get_if<double>(&data_);
    return value == nullptr ? otherwise : *value;
  }
  // Valid as long as this value is unchanged.
  std::string_view text(std::string_view otherwise = {}) const {
    const std::string* value = std::get_if<std::string>(&data_);
    return value == nullptr ? otherwise : std::string_view(*value);
  }
  const Array& array() const { return get_or_empty<Array>(); }
  const Object& object() const { return get_or_empty<Object>(); }

  // A member of an object; null if there is none.
  const Json& operator[](std::string_view key) const {
    const Object& members = object();
    const auto found = members.find(key);
    return found == members.end() ? null() : found->second;
  }

  bool operator==(const Json&) const = default;

 private:
  template <class T>
  const T& get_or_empty() const {
    static const T kEmpty;
    const T* value = std::get_if<T>(&data_);
    return value == nullptr ? kEmpty : *value;
  }
  static const Json& null() {
    static const Json kNull;
    return kNull;
  }

  std::variant<std::nullptr_t, bool, double, std::string, Array, Object> data_;
};

}  // namespace flow
