// SPDX-License-Identifier: Apache-2.0
//
// The plugin ABI in C++20: what an executor's author writes against. Needs plugin.h and the
// standard library, nothing else. An executor is a class with a constructor that takes a
// flow::Config (or nothing) and one of
//
//   void process(flow::Request& request);                          // answers before it returns
//   void process(flow::Request request, flow::Completion done);    // answers when it likes
//
// and, if it wants to, `void health() const` and `void cancel(flow::CallId call)`. It says that
// something is wrong by throwing; flow::Error chooses the status. FLOW_PLUGIN makes a plugin of it.
#pragma once

#include <cxxabi.h>

#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "flow/plugin.h"

namespace flow {

inline std::string_view view(flow_str text) noexcept {
  return {text.data, static_cast<std::size_t>(text.size)};
}
inline flow_str str(std::string_view text) noexcept { return {text.data(), text.size()}; }

// Names a call in cancel(): equal to the call() of its Request and its Completion. Nothing else can
// be done with it.
using CallId = const flow_call*;

// What an executor throws to choose the status that its caller sees. Immutable.
class Error : public std::runtime_error {
 public:
  // OK and PENDING are no errors; whoever throws them gets UNKNOWN.
  Error(flow_status code, const std::string& what)
      : std::runtime_error(what), code_(code > FLOW_OK ? code : flow_status{FLOW_UNKNOWN}) {}

  flow_status code() const noexcept { return code_; }

 private:
  flow_status code_;
};

// Writes to the host's log, which knows the executor and the time. Copies freely. Thread-safe.
class Log {
 public:
  explicit Log(const flow_host* host) noexcept : host_(host) {}

  void operator()(flow_level level, std::string_view line) const noexcept {
    host_->log(host_, level, str(line));
  }
  void debug(std::string_view line) const noexcept { (*this)(FLOW_DEBUG, line); }
  void info(std::string_view line) const noexcept { (*this)(FLOW_INFO, line); }
  void warning(std::string_view line) const noexcept { (*this)(FLOW_WARNING, line); }
  void error(std::string_view line) const noexcept { (*this)(FLOW_ERROR, line); }

 private:
  const flow_host* host_;
};

namespace detail {

// Walks anything with an operator[] that takes an index, up to std::default_sentinel. Holds a copy
// of the range, which is a few pointers, so that it outlives a temporary one.
template <class Range, class Element>
class IndexIterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using value_type = Element;
  using difference_type = std::ptrdiff_t;

  IndexIterator(Range range, std::uint64_t count) : range_(std::move(range)), count_(count) {}

  Element operator*() const { return range_[index_]; }
  IndexIterator& operator++() noexcept {
    ++index_;
    return *this;
  }
  void operator++(int) noexcept { ++index_; }
  bool operator==(std::default_sentinel_t) const noexcept { return index_ == count_; }

 private:
  Range range_;
  std::uint64_t index_ = 0;
  std::uint64_t count_;
};

inline const char* kind_name(std::uint32_t kind) noexcept {
  switch (kind) {
    case FLOW_NULL:
      return "nothing";
    case FLOW_BOOL:
      return "a boolean";
    case FLOW_NUMBER:
      return "a number";
    case FLOW_STRING:
      return "a text";
    case FLOW_LIST:
      return "a list";
    case FLOW_MAP:
      return "a map";
    default:
      return "a value of unknown kind";
  }
}

// JSON's numbers are doubles: beyond 2^53 the neighbours of an integer are no longer all there.
inline std::optional<std::int64_t> exact_integer(double number) noexcept {
  constexpr double kLimit = 9007199254740992.0;
  if (!(number >= -kLimit && number <= kLimit) || std::trunc(number) != number) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

}  // namespace detail

// A JSON-like value of the host's: configuration, parameters, tags. Valid until the call that it
// came with completes. Getters without a fallback throw INVALID_ARGUMENT if the value is of another
// kind; with one, only if it is there and of another kind. Immutable.
class Value {
 public:
  struct Entry;
  class Items;
  class Entries;

  // What names the thing in error messages; a string literal.
  Value(const flow_host* host, const flow_value& value, const char* what = "value") noexcept
      : host_(host), value_(value), what_(what) {}

  bool is_null() const noexcept { return value_.kind == FLOW_NULL; }
  bool is_boolean() const noexcept { return value_.kind == FLOW_BOOL; }
  bool is_number() const noexcept { return value_.kind == FLOW_NUMBER; }
  bool is_text() const noexcept { return value_.kind == FLOW_STRING; }
  bool is_list() const noexcept { return value_.kind == FLOW_LIST; }
  bool is_map() const noexcept { return value_.kind == FLOW_MAP; }

  bool boolean() const { return as_boolean({}); }
  double number() const { return as_number({}); }
  std::int64_t integer() const { return as_integer({}); }
  std::string_view text() const { return as_text({}); }

  // The entry of a map. An absent one is null.
  Value operator[](std::string_view key) const noexcept {
    return {host_, host_->value_get(&value_, str(key)), what_};
  }
  bool boolean(std::string_view key) const { return (*this)[key].as_boolean(key); }
  double number(std::string_view key) const { return (*this)[key].as_number(key); }
  std::int64_t integer(std::string_view key) const { return (*this)[key].as_integer(key); }
  std::string_view text(std::string_view key) const { return (*this)[key].as_text(key); }

  bool boolean(std::string_view key, bool fallback) const {
    const Value value = (*this)[key];
    return value.is_null() ? fallback : value.as_boolean(key);
  }
  double number(std::string_view key, double fallback) const {
    const Value value = (*this)[key];
    return value.is_null() ? fallback : value.as_number(key);
  }
  std::int64_t integer(std::string_view key, std::int64_t fallback) const {
    const Value value = (*this)[key];
    return value.is_null() ? fallback : value.as_integer(key);
  }
  std::string_view text(std::string_view key, std::string_view fallback) const {
    const Value value = (*this)[key];
    return value.is_null() ? fallback : value.as_text(key);
  }

  // Entries of a list or map, 0 of anything else.
  std::uint32_t size() const noexcept { return is_list() || is_map() ? value_.count : 0; }
  // Of a list, or the index-th value of a map; null past the end.
  Value operator[](std::uint64_t index) const noexcept {
    return {host_, host_->value_at(&value_, index), what_};
  }
  // for (flow::Value item : value.items())
  Items items() const noexcept;
  // for (auto [key, item] : value.entries()), for maps. Quadratic in their size.
  Entries entries() const noexcept;

  const flow_value& raw() const noexcept { return value_; }

 protected:
  const flow_host* host() const noexcept { return host_; }

 private:
  // Values are not shown: a configuration's may be secret.
  [[noreturn]] void reject(std::string_view key, const char* expected) const {
    std::string message = what_;
    if (!key.empty()) message.append(" \"").append(key).append("\"");
    throw Error(FLOW_INVALID_ARGUMENT,
                message + ": expected " + expected + ", found " + detail::kind_name(value_.kind));
  }
  bool as_boolean(std::string_view key) const {
    if (!is_boolean()) reject(key, "a boolean");
    return value_.as.number != 0;
  }
  double as_number(std::string_view key) const {
    if (!is_number()) reject(key, "a number");
    return value_.as.number;
  }
  std::int64_t as_integer(std::string_view key) const {
    if (!is_number()) reject(key, "an integer");
    const auto integer = detail::exact_integer(value_.as.number);
    if (!integer) reject(key, "an integer");
    return *integer;
  }
  std::string_view as_text(std::string_view key) const {
    if (!is_text()) reject(key, "a text");
    return view(value_.as.text);
  }

  const flow_host* host_;
  flow_value value_;
  const char* what_;
};

struct Value::Entry {
  std::string_view key;
  Value value;
};

class Value::Items {
 public:
  explicit Items(const Value& value) noexcept : value_(value) {}
  Value operator[](std::uint64_t index) const noexcept { return value_[index]; }
  detail::IndexIterator<Items, Value> begin() const { return {*this, value_.size()}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  Value value_;
};

class Value::Entries {
 public:
  explicit Entries(const Value& value) noexcept : value_(value) {}
  Entry operator[](std::uint64_t index) const noexcept {
    return {view(value_.host_->value_key(&value_.value_, index)), value_[index]};
  }
  detail::IndexIterator<Entries, Entry> begin() const {
    return {*this, value_.is_map() ? value_.size() : 0};
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  Value value_;
};

inline Value::Items Value::items() const noexcept { return Items(*this); }
inline Value::Entries Value::entries() const noexcept { return Entries(*this); }

// What an executor is created with: a map that the host has checked against the metadata's "config"
// and completed with its defaults. Its texts live as long as the constructor that gets it.
class Config : public Value {
 public:
  Config(const flow_host* host, const flow_value& value) noexcept
      : Value(host, value, "config key") {}

  Log log() const noexcept { return Log(host()); }
};

// What tensors consist of: the fixed-size arithmetic types of NumPy that C++ has too.
template <class T>
concept Element = std::is_arithmetic_v<T> && !std::same_as<std::remove_cv_t<T>, long double>;

template <Element T>
constexpr flow_dtype dtype_of() noexcept {
  constexpr auto kBits = static_cast<std::uint8_t>(sizeof(T) * 8);
  if constexpr (std::same_as<std::remove_cv_t<T>, bool>) return {FLOW_BOOLEAN, kBits, 1};
  if constexpr (std::floating_point<T>) return {FLOW_FLOAT, kBits, 1};
  if constexpr (std::signed_integral<T>) return {FLOW_INT, kBits, 1};
  return {FLOW_UINT, kBits, 1};
}

// The elements of a tensor in C order, and its shape. Tensor<const float> reads what came,
// Tensor<float> is to be filled. Converts to std::span<T>. Valid until the call completes.
template <Element T>
class Tensor {
 public:
  using value_type = std::remove_cv_t<T>;

  Tensor() noexcept = default;
  Tensor(std::span<T> elements, std::span<const std::uint32_t> shape) noexcept
      : elements_(elements), shape_(shape) {}

  std::span<const std::uint32_t> shape() const noexcept { return shape_; }
  T* data() const noexcept { return elements_.data(); }
  std::size_t size() const noexcept { return elements_.size(); }
  bool empty() const noexcept { return elements_.empty(); }
  T& operator[](std::size_t index) const noexcept { return elements_[index]; }
  T* begin() const noexcept { return data(); }
  T* end() const noexcept { return data() + size(); }

 private:
  std::span<T> elements_;
  std::span<const std::uint32_t> shape_;
};

class Docs;

// One document of a call. Getters show it as it was when this view was taken, whatever is set
// meanwhile; what they return stays readable until the call completes, so a setter may be given
// what a getter returned. Setters throw if the document is no longer part of the response. A copy
// names the same document. Confined to the thread that works on the call.
class Doc {
 public:
  Doc(const flow_host* host, flow_call* call, const flow_doc& doc) noexcept
      : host_(host), call_(call), doc_(doc) {}

  std::string_view id() const noexcept { return view(doc_.id); }
  std::string_view text() const noexcept { return view(doc_.text); }
  std::string_view uri() const noexcept { return view(doc_.uri); }
  std::string_view mime_type() const noexcept { return view(doc_.mime_type); }
  std::span<const std::uint8_t> blob() const noexcept {
    return {doc_.blob.data, static_cast<std::size_t>(doc_.blob.size)};
  }
  // Empty if absent; throws INVALID_ARGUMENT if its elements are of another type than T.
  template <Element T>
  Tensor<const T> tensor() const {
    return typed<T>(doc_.tensor, "tensor");
  }
  template <Element T>
  Tensor<const T> embedding() const {
    return typed<T>(doc_.embedding, "embedding");
  }
  Value tags() const noexcept { return {host_, doc_.tags, "tag"}; }
  // The children as the response has them now.
  Docs chunks() const noexcept;
  Docs matches() const noexcept;

  void set_id(std::string_view id) { check(host_->doc_set_id(call_, handle(), str(id)), "id"); }
  // Text, blob and tensor exclude each other: setting one clears the others.
  void set_text(std::string_view text) {
    check(host_->doc_set_text(call_, handle(), str(text)), "text");
  }
  void set_uri(std::string_view uri) {
    check(host_->doc_set_uri(call_, handle(), str(uri)), "uri");
  }
  void set_mime_type(std::string_view type) {
    check(host_->doc_set_mime_type(call_, handle(), str(type)), "mime_type");
  }
  void set_blob(std::span<const std::uint8_t> bytes) {
    const std::span<std::uint8_t> blob = new_blob(bytes.size());
    if (!bytes.empty()) std::memcpy(blob.data(), bytes.data(), bytes.size());
  }

  // Zeroed memory inside the response, to be filled before the call completes: saves a copy.
  std::span<std::uint8_t> new_blob(std::size_t size) {
    std::uint8_t* bytes = nullptr;
    check(host_->doc_new_blob(call_, handle(), size, &bytes), "blob");
    return {bytes, size};
  }
  template <Element T>
  std::span<T> new_tensor(std::span<const std::uint32_t> shape) {
    return new_elements<T>(FLOW_TENSOR, shape, "tensor");
  }
  template <Element T>
  std::span<T> new_tensor(std::initializer_list<std::uint32_t> shape) {
    return new_tensor<T>(std::span(shape.begin(), shape.size()));
  }
  template <Element T = float>
  std::span<T> new_embedding(std::uint32_t dimensions) {
    return new_elements<T>(FLOW_EMBEDDING, std::span(&dimensions, 1), "embedding");
  }

  void set_tag(std::string_view key, std::string_view text) {
    flow_value value{FLOW_STRING, 0, {}};
    value.as.text = str(text);
    set_tag(key, value);
  }
  // Tags are JSON: integers beyond 2^53 lose digits.
  template <class T>
  requires std::is_arithmetic_v<T>
  void set_tag(std::string_view key, T number) {
    flow_value value{std::same_as<T, bool> ? FLOW_BOOL : FLOW_NUMBER, 0, {}};
    value.as.number = static_cast<double>(number);
    set_tag(key, value);
  }
  void set_tag(std::string_view key, const Value& value) { set_tag(key, value.raw()); }
  void remove_tag(std::string_view key) { set_tag(key, flow_value{FLOW_NULL, 0, {}}); }
  void set_score(std::string_view name, double score) {
    check(host_->doc_set_score(call_, handle(), str(name), score), "score");
  }

  Doc append_chunk() { return append(FLOW_CHUNKS); }
  Doc append_match() { return append(FLOW_MATCHES); }

  const flow_doc& raw() const noexcept { return doc_; }

 private:
  friend class Request;

  const void* handle() const noexcept { return doc_.handle; }

  void check(flow_status status, const char* field) const {
    if (status == FLOW_OK) return;
    throw Error(status, "document \"" + std::string(id()) + "\": the host refused its " + field +
                            (status == FLOW_INVALID_ARGUMENT
                                 ? ", perhaps because it is no longer part of the response"
                                 : ""));
  }

  template <Element T>
  Tensor<const T> typed(const flow_tensor& tensor, const char* field) const {
    constexpr flow_dtype kExpected = dtype_of<T>();
    if (tensor.size == 0) return {{}, {tensor.shape, tensor.ndim}};
    if (tensor.dtype.code != kExpected.code || tensor.dtype.bits != kExpected.bits ||
        tensor.dtype.lanes != kExpected.lanes) {
      throw Error(FLOW_INVALID_ARGUMENT, "document \"" + std::string(id()) + "\": its " + field +
                                             " is of " + name(tensor.dtype) + ", expected " +
                                             name(kExpected));
    }
    return {{static_cast<const T*>(tensor.data), static_cast<std::size_t>(tensor.size / sizeof(T))},
            {tensor.shape, tensor.ndim}};
  }

  static std::string name(flow_dtype dtype) {
    static constexpr const char* kNames[] = {"int",    "uint",    "float", "opaque",
                                             "bfloat", "complex", "bool"};
    return (dtype.code < std::size(kNames) ? kNames[dtype.code] : "unknown") +
           std::to_string(dtype.bits);
  }

  template <Element T>
  std::span<T> new_elements(std::uint32_t field, std::span<const std::uint32_t> shape,
                            const char* field_name) {
    const flow_tensor wanted{nullptr, 0, shape.data(), static_cast<std::uint32_t>(shape.size()),
                             dtype_of<T>()};
    void* elements = nullptr;
    check(host_->doc_new_tensor(call_, handle(), field, &wanted, &elements), field_name);
    std::size_t count = 1;  // no overflow: the host has just allocated that many
    for (const std::uint32_t dimension : shape) count *= dimension;
    return {static_cast<T*>(elements), count};
  }

  void set_tag(std::string_view key, const flow_value& value) {
    check(host_->doc_set_tag(call_, handle(), str(key), &value), "tag");
  }

  Doc append(std::uint32_t kind) {
    flow_doc child{};
    check(host_->doc_append(call_, handle(), kind, &child.handle),
          kind == FLOW_CHUNKS ? "chunks" : "matches");
    return {host_, call_, child};
  }

  const flow_host* host_;
  flow_call* call_;
  flow_doc doc_;
};

// Documents of a call, as a range of Doc. Valid until the call completes.
class Docs {
 public:
  Docs(const flow_host* host, flow_call* call, const flow_docs& docs) noexcept
      : host_(host), call_(call), docs_(docs) {}

  std::size_t size() const noexcept { return static_cast<std::size_t>(docs_.count); }
  bool empty() const noexcept { return docs_.count == 0; }
  Doc operator[](std::uint64_t index) const noexcept {
    const auto* first = static_cast<const char*>(docs_.first);
    return {host_, call_, *reinterpret_cast<const flow_doc*>(first + index * docs_.stride)};
  }
  detail::IndexIterator<Docs, Doc> begin() const { return {*this, docs_.count}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  const flow_host* host_;
  flow_call* call_;
  flow_docs docs_;
};

inline Docs Doc::chunks() const noexcept {
  return {host_, call_, host_->doc_children(call_, handle(), FLOW_CHUNKS)};
}
inline Docs Doc::matches() const noexcept {
  return {host_, call_, host_->doc_children(call_, handle(), FLOW_MATCHES)};
}

// What process() is asked: a range of documents, and the response, which starts as these documents.
// A copy is the same request. Valid until the call completes. Confined to the thread that works on
// the call, but cancelled() and progress(), which are thread-safe.
class Request {
 public:
  Request(const flow_host* host, const flow_request* request, flow_call* call) noexcept
      : host_(host), request_(request), call_(call) {}

  std::string_view id() const noexcept { return view(request_->id); }
  std::string_view endpoint() const noexcept { return view(request_->endpoint); }
  std::string_view trace() const noexcept { return view(request_->trace); }
  Value parameters() const noexcept { return {host_, request_->parameters, "parameter"}; }
  CallId call() const noexcept { return call_; }
  Log log() const noexcept { return Log(host_); }

  // time_point::max() if there is none. std::chrono::steady_clock is CLOCK_MONOTONIC on Linux.
  std::chrono::steady_clock::time_point deadline() const noexcept {
    using Clock = std::chrono::steady_clock;
    constexpr auto kNever = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (request_->deadline_ns >= kNever) return Clock::time_point::max();
    return Clock::time_point(
        std::chrono::nanoseconds(static_cast<std::int64_t>(request_->deadline_ns)));
  }
  // True once nobody waits for the answer. Cheap: poll it in loops.
  bool cancelled() const noexcept { return host_->call_cancelled(call_) != 0; }
  // Tells the host that a long call is at work, not hung.
  void progress() const noexcept { host_->call_progress(call_); }

  // The documents as they came; append() and remove() do not change them.
  Docs docs() const noexcept { return {host_, call_, request_->docs}; }
  std::size_t size() const noexcept { return docs().size(); }
  bool empty() const noexcept { return docs().empty(); }
  Doc operator[](std::uint64_t index) const noexcept { return docs()[index]; }
  auto begin() const { return docs().begin(); }
  std::default_sentinel_t end() const noexcept { return {}; }

  // Adds an empty document to the response.
  Doc append() {
    flow_doc doc{};
    const flow_status status = host_->doc_append(call_, nullptr, FLOW_ROOT, &doc.handle);
    if (status != FLOW_OK) throw Error(status, "the host refused to append a document");
    return {host_, call_, doc};
  }
  // Takes a document, with its children, out of the response.
  void remove(const Doc& doc) { doc.check(host_->doc_remove(call_, doc.handle()), "removal"); }
  // FLOW_STREAMS: sends the response as it stands as one part of the answer and empties it (A13);
  // of the documents that it held, only what docs() shows may still be looked at. Waits while the
  // caller reads more slowly. False: nobody reads any more, so clean up and return. Throws
  // RESOURCE_EXHAUSTED, and leaves the response as it was, if the part is too large;
  // UNIMPLEMENTED without the flag.
  [[nodiscard]] bool emit() {
    const flow_status status = host_->call_emit(call_);
    if (status == FLOW_OK) return true;
    if (status == FLOW_CANCELLED) return false;
    throw Error(status, status == FLOW_UNIMPLEMENTED
                            ? "emit() needs FLOW_STREAMS among the flags of the plugin"
                        : status == FLOW_RESOURCE_EXHAUSTED ? "a part of the answer is too large"
                                                            : "the host could not send a part");
  }

 private:
  const flow_host* host_;
  const flow_request* request_;
  flow_call* call_;
};

namespace detail {

// Runs work and turns whatever it throws into a status, after telling the reason to `tell`. Every
// call that enters a plugin passes here: no exception crosses the boundary (A8). Formats without
// allocating, because memory may be what is missing.
template <class Work, class Tell>
flow_status guard(Work&& work, Tell&& tell) noexcept {
  const auto named = [&tell](const std::type_info* type, const char* what) noexcept {
    int failed = -1;
    const std::unique_ptr<char, decltype(&std::free)> name(
        type ? abi::__cxa_demangle(type->name(), nullptr, nullptr, &failed) : nullptr, &std::free);
    const char* shown = failed == 0 ? name.get() : type ? type->name() : "foreign exception";
    char text[4096];
    if (what != nullptr) {
      std::snprintf(text, sizeof text, "%s: %s", shown, what);
    } else {
      std::snprintf(text, sizeof text, "%s", shown);
    }
    tell(std::string_view(text));
  };
  try {
    std::forward<Work>(work)();
    return FLOW_OK;
  } catch (const Error& error) {
    tell(std::string_view(error.what()));
    return error.code();
  } catch (const std::bad_alloc& error) {
    named(&typeid(error), error.what());
    return FLOW_RESOURCE_EXHAUSTED;
  } catch (const std::exception& error) {
    named(&typeid(error), error.what());
    return FLOW_INTERNAL;
  } catch (...) {
    named(abi::__cxa_current_exception_type(), nullptr);
    return FLOW_UNKNOWN;
  }
}

// Marks the asynchronous process() that runs on this thread. A Completion that dies inside it gives
// the call back, so that process() can end it with the exception that is on its way.
class Entry {
 public:
  explicit Entry(CallId call) noexcept : call_(call), outer_(std::exchange(current_, this)) {}
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  ~Entry() { current_ = outer_; }

  bool has_call_back() const noexcept { return has_call_back_; }

  // entry may dangle: it is compared, and equal to an Entry of this thread only if it is alive or
  // its place is taken by another call's.
  static bool give_back(const Entry* entry, CallId call) noexcept {
    if (current_ == nullptr || current_ != entry || current_->call_ != call) return false;
    return current_->has_call_back_ = true;
  }

 private:
  static inline constinit thread_local Entry* current_ = nullptr;

  CallId call_;
  Entry* outer_;
  bool has_call_back_ = false;
};

inline constexpr std::string_view kDropped =
    "the executor dropped the request without finishing it";

}  // namespace detail

// The duty to finish a call, exactly once, from any thread. Whoever drops it finishes the call with
// INTERNAL. Nothing of the request may be touched afterwards. Once it is finished, or moved from,
// finishing does nothing. Confined to one thread at a time.
class Completion {
 public:
  Completion(const flow_host* host, flow_call* call, const detail::Entry* entry = nullptr) noexcept
      : host_(host), call_(call), entry_(entry) {}
  Completion(Completion&& other) noexcept
      : host_(other.host_), call_(std::exchange(other.call_, nullptr)), entry_(other.entry_) {}
  Completion& operator=(Completion&& other) noexcept {
    Completion old(std::move(*this));
    host_ = other.host_;
    call_ = std::exchange(other.call_, nullptr);
    entry_ = other.entry_;
    return *this;
  }
  ~Completion() {
    if (call_ != nullptr && !detail::Entry::give_back(entry_, call_)) {
      fail(FLOW_INTERNAL, detail::kDropped);
    }
  }

  CallId call() const noexcept { return call_; }

  void finish() noexcept { end(FLOW_OK); }
  void fail(flow_status code, std::string_view why) noexcept {
    if (call_ == nullptr) return;
    host_->error(host_, call_, str(why));
    end(code > FLOW_OK ? code : flow_status{FLOW_UNKNOWN});
  }
  // Finishes with what becomes of work: OK, or the status of what it throws.
  template <std::invocable Work>
  void finish_with(Work&& work) noexcept {
    if (call_ == nullptr) return;
    end(detail::guard(std::forward<Work>(work),
                      [this](std::string_view why) { host_->error(host_, call_, str(why)); }));
  }

 private:
  void end(flow_status status) noexcept {
    if (call_ != nullptr) host_->call_finish(std::exchange(call_, nullptr), status);
  }

  const flow_host* host_;
  flow_call* call_;
  const detail::Entry* entry_;
};

// Calls the method that is bound to a request's endpoint, else the one bound to "/default", else
// throws UNIMPLEMENTED. A member of the executor:
//
//   void process(flow::Request& request) { router_(*this, request); }
//   flow::Router<Search> router_{{"/index", &Search::index}, {"/search", &Search::search}};
//
// Immutable.
template <class T>
class Router {
 public:
  struct Route {
    std::string_view endpoint;
    void (T::*method)(Request&);
  };

  Router(std::initializer_list<Route> routes) : routes_(routes) {}

  void operator()(T& executor, Request& request) const {
    const Route* route = find(request.endpoint());
    if (route == nullptr) route = find("/default");
    if (route == nullptr) {
      throw Error(FLOW_UNIMPLEMENTED, "no endpoint \"" + std::string(request.endpoint()) + "\"");
    }
    (executor.*route->method)(request);
  }

 private:
  const Route* find(std::string_view endpoint) const noexcept {
    for (const Route& route : routes_) {
      if (route.endpoint == endpoint) return &route;
    }
    return nullptr;
  }

  std::vector<Route> routes_;
};

namespace detail {

template <class T>
concept Synchronous = requires(T& executor, Request& request) {
  executor.process(request);
};
template <class T>
concept Asynchronous = requires(T& executor, Request request, Completion done) {
  executor.process(request, std::move(done));
};
template <class T>
concept TellsHealth = requires(const T& executor) {
  executor.health();
};
template <class T>
concept Cancels = requires(T& executor, CallId call) {
  executor.cancel(call);
};

// The functions of the ABI around one T.
template <class T>
class Executor {
 public:
  static flow_status create(const flow_host* host, const flow_value* config,
                            flow_executor** executor) noexcept {
    return guard(
        [&] {
          *executor = reinterpret_cast<flow_executor*>(new Executor(host, Config(host, *config)));
        },
        [host](std::string_view why) { host->error(host, nullptr, str(why)); });
  }

  static void destroy(flow_executor* executor) noexcept { delete &from(executor); }

  static flow_status process(flow_executor* executor, const flow_request* request,
                             flow_call* call) noexcept {
    Executor& self = from(executor);
    const flow_host* host = self.host_;
    if constexpr (Asynchronous<T>) {
      Entry entry(call);
      const flow_status status = guard(
          [&] {
            self.value_.process(Request(host, request, call), Completion(host, call, &entry));
          },
          [&](std::string_view why) {
            // Once the completion is elsewhere, the call may be dead.
            if (entry.has_call_back()) {
              host->error(host, call, str(why));
            } else {
              host->log(host, FLOW_ERROR, str(why));
            }
          });
      if (!entry.has_call_back()) return FLOW_PENDING;
      if (status != FLOW_OK) return status;
      host->error(host, call, str(kDropped));
      return FLOW_INTERNAL;
    } else {
      return guard(
          [&] {
            Request view(host, request, call);
            self.value_.process(view);
          },
          [&](std::string_view why) { host->error(host, call, str(why)); });
    }
  }

  static flow_status health(flow_executor* executor) noexcept {
    const Executor& self = from(executor);
    return guard([&] { self.value_.health(); },
                 [&](std::string_view why) { self.host_->error(self.host_, nullptr, str(why)); });
  }

  static void cancel(flow_executor* executor, flow_call* call) noexcept {
    Executor& self = from(executor);
    guard([&] { self.value_.cancel(call); },
          [&](std::string_view why) { self.host_->log(self.host_, FLOW_ERROR, str(why)); });
  }

 private:
  Executor(const flow_host* host,
           const Config& config) requires std::constructible_from<T, const Config&>
      : host_(host), value_(config) {}
  Executor(const flow_host* host,
           const Config&) requires(!std::constructible_from<T, const Config&>)
      : host_(host), value_() {}

  static Executor& from(flow_executor* executor) noexcept {
    return *reinterpret_cast<Executor*>(executor);
  }

  const flow_host* host_;
  T value_;
};

}  // namespace detail

// The table of a plugin that serves T. FLOW_PLUGIN exports it; a test may use it in place.
template <class T>
constexpr flow_plugin make_plugin(std::uint32_t flags, const char* metadata) noexcept {
  static_assert(detail::Synchronous<T> != detail::Asynchronous<T>,
                "an executor has either process(flow::Request&) or "
                "process(flow::Request, flow::Completion)");
  using Executor = detail::Executor<T>;
  flow_plugin plugin{};
  plugin.size = sizeof(flow_plugin);
  plugin.abi_minor = FLOW_ABI_MINOR;
  plugin.flags = flags;
  plugin.metadata = metadata;
  plugin.create = Executor::create;
  plugin.destroy = Executor::destroy;
  plugin.process = Executor::process;
  if constexpr (detail::Asynchronous<T>) plugin.flags |= FLOW_ASYNC;
  if constexpr (detail::Cancels<T>) plugin.cancel = Executor::cancel;
  if constexpr (detail::TellsHealth<T>) plugin.health = Executor::health;
  return plugin;
}

}  // namespace flow

template <flow::Element T>
inline constexpr bool std::ranges::enable_borrowed_range<flow::Tensor<T>> = true;

// FLOW_PLUGIN(Upper, FLOW_CONCURRENT, R"({"id": "upper", ...})"); once per plugin. The flags are
// the FLOW_* of plugin.h or 0; FLOW_ASYNC is found out. Nothing runs when the library is loaded.
#define FLOW_PLUGIN(Type, flags, json)                                \
  FLOW_METADATA(json);                                                \
  extern "C" FLOW_EXPORT constinit const flow_plugin flow_plugin_v1 = \
      flow::make_plugin<Type>(flags, flow_metadata.desc)
