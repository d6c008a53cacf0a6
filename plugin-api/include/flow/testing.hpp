// SPDX-License-Identifier: Apache-2.0
//
// A host for unit tests of executors, in memory and without ours:
//
//   flow::testing::FakeHost host(flow::make_plugin<Upper>(0, "{}"), {{"language", "en"}});
//   flow::testing::FakeCall call({.endpoint = "/upper", .docs = {{.text = "hello"}}});
//   EXPECT_EQ(host.process(call), FLOW_OK) << call.error();
//   EXPECT_EQ(call.docs.front().text, "HELLO");
//
// Needs the SDK and the standard library, no particular test framework. It does not read metadata:
// configurations are given as the host would have completed them.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <list>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "flow/plugin.hpp"

namespace flow::testing {

// A JSON-like value that owns what it holds: FakeValue{{"top_k", 5}, {"tags", FakeValue::List{}}}.
struct FakeValue {
  using List = std::vector<FakeValue>;
  using Map = std::map<std::string, FakeValue, std::less<>>;

  FakeValue() = default;
  FakeValue(const char* text) : data(std::string(text)) {}
  FakeValue(std::string text) : data(std::move(text)) {}
  FakeValue(List list) : data(std::move(list)) {}
  FakeValue(Map map) : data(std::move(map)) {}
  FakeValue(std::initializer_list<Map::value_type> entries) : data(Map(entries)) {}
  template <class T>
  requires std::is_arithmetic_v<T> FakeValue(T value) {
    if constexpr (std::same_as<T, bool>) {
      data = value;
    } else {
      data = static_cast<double>(value);
    }
  }
  bool operator==(const FakeValue&) const = default;

  // These throw std::bad_variant_access if the value is of another kind.
  bool boolean() const { return std::get<bool>(data); }
  double number() const { return std::get<double>(data); }
  const std::string& text() const { return std::get<std::string>(data); }
  const List& list() const { return std::get<List>(data); }
  const Map& map() const { return std::get<Map>(data); }
  // The entry of a map; null if there is none, or no map.
  const FakeValue& operator[](std::string_view key) const {
    static const FakeValue kNull;
    const auto* entries = std::get_if<Map>(&data);
    const auto entry = entries ? entries->find(key) : Map::const_iterator();
    return entries && entry != entries->end() ? entry->second : kNull;
  }

  // As a plugin sees it; valid while this value neither changes nor moves.
  flow_value view() const {
    flow_value value{};
    if (const auto* boolean = std::get_if<bool>(&data)) {
      value.kind = FLOW_BOOL;
      value.as.number = *boolean ? 1 : 0;
    } else if (const auto* number = std::get_if<double>(&data)) {
      value.kind = FLOW_NUMBER;
      value.as.number = *number;
    } else if (const auto* text = std::get_if<std::string>(&data)) {
      value.kind = FLOW_STRING;
      value.as.text = str(*text);
    } else if (const auto* list = std::get_if<List>(&data)) {
      value = {FLOW_LIST, static_cast<std::uint32_t>(list->size()), {}};
      value.as.node = this;
    } else if (const auto* map = std::get_if<Map>(&data)) {
      value = {FLOW_MAP, static_cast<std::uint32_t>(map->size()), {}};
      value.as.node = this;
    }
    return value;
  }

  // The other way round: a copy of what a plugin passed.
  static FakeValue of(const flow_value& value) {
    switch (value.kind) {
      case FLOW_BOOL:
        return value.as.number != 0;
      case FLOW_NUMBER:
        return value.as.number;
      case FLOW_STRING:
        return std::string(flow::view(value.as.text));
      case FLOW_LIST:
      case FLOW_MAP:
        return *static_cast<const FakeValue*>(value.as.node);
      default:
        return {};
    }
  }

  std::variant<std::monostate, bool, double, std::string, List, Map> data;
};

// A tensor that owns its elements: FakeTensor::of<float>({1, 2}, {2}).
struct FakeTensor {
  template <Element T>
  static FakeTensor of(std::initializer_list<T> elements, std::vector<std::uint32_t> shape) {
    FakeTensor tensor{std::vector<std::uint8_t>(elements.size() * sizeof(T)), std::move(shape),
                      dtype_of<T>()};
    if (elements.size() != 0) {
      std::memcpy(tensor.bytes.data(), elements.begin(), tensor.bytes.size());
    }
    return tensor;
  }

  // A copy of the elements; throws std::logic_error if they are of another type.
  template <Element T>
  std::vector<T> as() const {
    constexpr flow_dtype kWanted = dtype_of<T>();
    if (!bytes.empty() && (dtype.code != kWanted.code || dtype.bits != kWanted.bits)) {
      throw std::logic_error("FakeTensor: its elements are of another type");
    }
    std::vector<T> elements(bytes.size() / sizeof(T));
    if (!bytes.empty()) std::memcpy(elements.data(), bytes.data(), bytes.size());
    return elements;
  }

  flow_tensor view() const {
    return {bytes.data(), bytes.size(), shape.data(), static_cast<std::uint32_t>(shape.size()),
            dtype};
  }

  std::vector<std::uint8_t> bytes = {};
  std::vector<std::uint32_t> shape = {};
  flow_dtype dtype = {};
};

// A document. Children are in lists because their addresses are the handles that plugins hold.
struct FakeDoc {
  std::string id = {};
  std::string text = {};
  std::string uri = {};
  std::string mime_type = {};
  std::vector<std::uint8_t> blob = {};
  FakeTensor tensor = {};
  FakeTensor embedding = {};
  FakeValue tags = {};
  std::map<std::string, double> scores = {};
  std::list<FakeDoc> chunks = {};
  std::list<FakeDoc> matches = {};
};

// What a test asks.
struct FakeRequest {
  std::string id = "request";
  std::string endpoint = "/default";
  FakeValue parameters = {};
  std::list<FakeDoc> docs = {};
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  std::size_t parts_max = SIZE_MAX;  // the caller leaves when it has as many parts by emit()
};

// One request, and what becomes of it. `docs` and `emitted` belong to the executor until the call
// is finished; the functions are thread-safe.
class FakeCall {
 public:
  explicit FakeCall(FakeRequest request)
      : docs(std::move(request.docs)), request_(std::move(request)) {}
  FakeCall(const FakeCall&) = delete;
  FakeCall& operator=(const FakeCall&) = delete;

  std::list<FakeDoc> docs;                  // the response, after emit() what followed
  std::vector<std::list<FakeDoc>> emitted;  // the parts that were sent before it

  std::string error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }
  // How often the call was finished: anything but 1 after process() is the executor's fault.
  int finished() const {
    const std::lock_guard lock(mutex_);
    return finished_;
  }
  // How often the executor reported progress.
  int progressed() const { return progressed_; }

 private:
  friend class FakeHost;

  // What a plugin was shown: a copy, because setters must not change it.
  struct Snapshot {
    std::list<FakeDoc> copies;
    std::vector<flow_doc> views;
  };

  flow_call* handle() { return reinterpret_cast<flow_call*>(this); }
  static FakeCall& from(flow_call* call) { return *reinterpret_cast<FakeCall*>(call); }

  flow_docs show(const std::list<FakeDoc>& originals) {
    Snapshot& snapshot = snapshots_.emplace_back(Snapshot{originals, {}});
    auto original = originals.begin();
    for (const FakeDoc& doc : snapshot.copies) {
      snapshot.views.push_back({str(doc.id),
                                str(doc.text),
                                str(doc.uri),
                                str(doc.mime_type),
                                {doc.blob.data(), doc.blob.size()},
                                doc.tensor.view(),
                                doc.embedding.view(),
                                doc.tags.view(),
                                &*original++});
    }
    return {snapshot.views.data(), snapshot.views.size(), sizeof(flow_doc), 0};
  }

  // Where a handle's document stands in the response. list is nullptr: nowhere.
  struct Place {
    std::list<FakeDoc>* list = nullptr;
    std::list<FakeDoc>::iterator doc = {};
  };
  static Place find(std::list<FakeDoc>& list, const void* handle) {
    for (auto doc = list.begin(); doc != list.end(); ++doc) {
      if (&*doc == handle) return {&list, doc};
      for (std::list<FakeDoc>* children : {&doc->chunks, &doc->matches}) {
        if (const Place place = find(*children, handle); place.list) return place;
      }
    }
    return {};
  }

  bool cancelled() const {
    return cancelled_ || std::chrono::steady_clock::now() >= request_.deadline;
  }

  void finish(flow_status status) {
    const std::lock_guard lock(mutex_);
    // An answer that lacks a part is none, whatever the plugin says (rule A13).
    if (status == FLOW_OK && lacks_a_part_) status = FLOW_CANCELLED;
    if (finished_++ == 0) status_ = status;
    changed_.notify_all();
  }

  FakeRequest request_;
  flow_request view_{};
  bool may_emit_ = false;
  bool lacks_a_part_ = false;
  std::list<Snapshot> snapshots_;
  std::list<FakeDoc> removed_;
  std::list<std::vector<std::uint8_t>> replaced_;  // memory that a plugin may still write to
  std::atomic<bool> cancelled_ = false;
  std::atomic<int> progressed_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string error_;
  int finished_ = 0;
  flow_status status_ = FLOW_PENDING;
};

// A host with one executor of one plugin. Thread-safe as far as the plugin is.
class FakeHost {
 public:
  // Creates the executor; throws flow::Error with what create() says is wrong.
  explicit FakeHost(const flow_plugin& plugin, FakeValue config = FakeValue::Map())
      : plugin_(plugin), config_(std::move(config)) {
    const flow_value config_view = config_.view();
    const flow_status status = plugin_.create(&table_, &config_view, &executor_);
    if (status != FLOW_OK) throw Error(status, error());
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;
  ~FakeHost() { plugin_.destroy(executor_); }

  // Runs a call to its end and returns its status. Throws std::logic_error if that takes too long,
  // or if a plugin without FLOW_ASYNC answers PENDING.
  flow_status process(FakeCall& call,
                      std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    start(call);
    return wait(call, patience);
  }

  // The two halves of it.
  void start(FakeCall& call) {
    const std::int64_t deadline = call.request_.deadline.time_since_epoch().count();
    call.view_ = {sizeof(flow_request),
                  0,
                  str(call.request_.id),
                  str(call.request_.endpoint),
                  {},
                  call.request_.deadline == std::chrono::steady_clock::time_point::max()
                      ? UINT64_MAX
                      : static_cast<std::uint64_t>(deadline),
                  call.request_.parameters.view(),
                  call.show(call.docs)};
    call.may_emit_ = (plugin_.flags & FLOW_STREAMS) != 0;
    const flow_status status = plugin_.process(executor_, &call.view_, call.handle());
    if (status != FLOW_PENDING) {
      call.finish(status);
    } else if ((plugin_.flags & FLOW_ASYNC) == 0) {
      throw std::logic_error("FakeHost: PENDING from a plugin without FLOW_ASYNC");
    }
  }
  flow_status wait(FakeCall& call, std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    std::unique_lock lock(call.mutex_);
    if (!call.changed_.wait_for(lock, patience, [&] { return call.finished_ != 0; })) {
      throw std::logic_error("FakeHost: the call was not finished in time");
    }
    return call.status_;
  }

  // The caller goes away.
  void cancel(FakeCall& call) {
    if (call.cancelled_.exchange(true)) return;
    if (plugin_.cancel != nullptr) plugin_.cancel(executor_, call.handle());
  }

  flow_status health() { return plugin_.health != nullptr ? plugin_.health(executor_) : FLOW_OK; }

  // What was said last about a failed create() or health().
  std::string error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }
  std::vector<std::string> log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }

 private:
  static FakeHost& from(const flow_host* host) { return *static_cast<FakeHost*>(host->impl); }

  // Applies edit to the document that a handle names.
  template <class Edit>
  static flow_status edit(flow_call* call, const void* handle, Edit&& edit) {
    const FakeCall::Place place = FakeCall::find(FakeCall::from(call).docs, handle);
    if (place.list == nullptr) return FLOW_INVALID_ARGUMENT;
    std::forward<Edit>(edit)(*place.doc);
    return FLOW_OK;
  }

  // Makes room for one of the three contents, which exclude each other.
  static void clear_content(FakeCall& call, FakeDoc& doc) {
    doc.text.clear();
    call.replaced_.push_back(std::exchange(doc.blob, {}));
    call.replaced_.push_back(std::exchange(doc.tensor, {}).bytes);
  }

  static void on_log(const flow_host* host, flow_level, flow_str line) noexcept {
    const std::lock_guard lock(from(host).mutex_);
    from(host).log_.emplace_back(view(line));
  }
  static void on_error(const flow_host* host, flow_call* call, flow_str text) noexcept {
    std::mutex& mutex = call ? FakeCall::from(call).mutex_ : from(host).mutex_;
    const std::lock_guard lock(mutex);
    (call ? FakeCall::from(call).error_ : from(host).error_) = view(text);
  }

  static flow_value value_get(const flow_value* map, flow_str key) noexcept {
    if (map->kind != FLOW_MAP) return {};
    return (*static_cast<const FakeValue*>(map->as.node))[view(key)].view();
  }
  static flow_value value_at(const flow_value* list, std::uint64_t index) noexcept {
    if ((list->kind != FLOW_LIST && list->kind != FLOW_MAP) || index >= list->count) return {};
    const auto* node = static_cast<const FakeValue*>(list->as.node);
    if (list->kind == FLOW_LIST) return node->list()[index].view();
    return std::next(node->map().begin(), static_cast<std::ptrdiff_t>(index))->second.view();
  }
  static flow_str value_key(const flow_value* map, std::uint64_t index) noexcept {
    if (map->kind != FLOW_MAP || index >= map->count) return {};
    const auto& entries = static_cast<const FakeValue*>(map->as.node)->map();
    return str(std::next(entries.begin(), static_cast<std::ptrdiff_t>(index))->first);
  }

  static flow_docs doc_children(flow_call* call, const void* handle, std::uint32_t kind) noexcept {
    flow_docs children{nullptr, 0, sizeof(flow_doc), 0};
    edit(call, handle, [&](FakeDoc& doc) {
      if (kind == FLOW_CHUNKS) children = FakeCall::from(call).show(doc.chunks);
      if (kind == FLOW_MATCHES) children = FakeCall::from(call).show(doc.matches);
    });
    return children;
  }
  static flow_status doc_append(flow_call* call, const void* parent, std::uint32_t kind,
                                const void** child) noexcept {
    std::list<FakeDoc>* list = nullptr;
    if (parent == nullptr && kind == FLOW_ROOT) {
      list = &FakeCall::from(call).docs;
    } else if (parent != nullptr && (kind == FLOW_CHUNKS || kind == FLOW_MATCHES)) {
      edit(call, parent,
           [&](FakeDoc& doc) { list = kind == FLOW_CHUNKS ? &doc.chunks : &doc.matches; });
    }
    if (list == nullptr) return FLOW_INVALID_ARGUMENT;
    *child = &list->emplace_back();
    return FLOW_OK;
  }
  static flow_status doc_remove(flow_call* call, const void* handle) noexcept {
    FakeCall& self = FakeCall::from(call);
    const FakeCall::Place place = FakeCall::find(self.docs, handle);
    if (place.list == nullptr) return FLOW_INVALID_ARGUMENT;
    self.removed_.splice(self.removed_.end(), *place.list, place.doc);
    return FLOW_OK;
  }
  static flow_status doc_set_id(flow_call* call, const void* handle, flow_str id) noexcept {
    return edit(call, handle, [&](FakeDoc& doc) { doc.id = view(id); });
  }
  static flow_status doc_set_text(flow_call* call, const void* handle, flow_str text) noexcept {
    return edit(call, handle, [&](FakeDoc& doc) {
      clear_content(FakeCall::from(call), doc);
      doc.text = view(text);
    });
  }
  static flow_status doc_set_uri(flow_call* call, const void* handle, flow_str uri) noexcept {
    return edit(call, handle, [&](FakeDoc& doc) { doc.uri = view(uri); });
  }
  static flow_status doc_set_mime_type(flow_call* call, const void* handle,
                                       flow_str type) noexcept {
    return edit(call, handle, [&](FakeDoc& doc) { doc.mime_type = view(type); });
  }
  static flow_status doc_new_blob(flow_call* call, const void* handle, std::uint64_t size,
                                  std::uint8_t** bytes) noexcept {
    return edit(call, handle, [&](FakeDoc& doc) {
      clear_content(FakeCall::from(call), doc);
      doc.blob.resize(size);
      *bytes = doc.blob.data();
    });
  }
  static flow_status doc_new_tensor(flow_call* call, const void* handle, std::uint32_t field,
                                    const flow_tensor* shape, void** elements) noexcept {
    std::uint64_t size = shape->dtype.bits / 8u * shape->dtype.lanes;
    for (std::uint32_t i = 0; i < shape->ndim; ++i) {
      if (__builtin_mul_overflow(size, shape->shape[i], &size)) return FLOW_INVALID_ARGUMENT;
    }
    return edit(call, handle, [&](FakeDoc& doc) {
      FakeCall& self = FakeCall::from(call);
      FakeTensor& tensor = field == FLOW_TENSOR ? doc.tensor : doc.embedding;
      if (field == FLOW_TENSOR) clear_content(self, doc);
      self.replaced_.push_back(std::move(tensor.bytes));
      tensor = {std::vector<std::uint8_t>(size),
                {shape->shape, shape->shape + shape->ndim},
                shape->dtype};
      *elements = tensor.bytes.data();
    });
  }
  static flow_status doc_set_tag(flow_call* call, const void* handle, flow_str key,
                                 const flow_value* value) noexcept {
    return edit(call, handle, [&](FakeDoc& doc) {
      if (!std::holds_alternative<FakeValue::Map>(doc.tags.data)) doc.tags = FakeValue::Map();
      auto& tags = std::get<FakeValue::Map>(doc.tags.data);
      if (value->kind == FLOW_NULL) {
        tags.erase(std::string(view(key)));
      } else {
        tags.insert_or_assign(std::string(view(key)), FakeValue::of(*value));
      }
    });
  }
  static flow_status doc_set_score(flow_call* call, const void* handle, flow_str name,
                                   double value) noexcept {
    return edit(call, handle,
                [&](FakeDoc& doc) { doc.scores.insert_or_assign(std::string(view(name)), value); });
  }

  static std::int32_t call_cancelled(const flow_call* call) noexcept {
    return reinterpret_cast<const FakeCall*>(call)->cancelled() ? 1 : 0;
  }
  static void call_progress(flow_call* call) noexcept { ++FakeCall::from(call).progressed_; }
  static flow_status call_emit(flow_call* call) noexcept {
    FakeCall& self = FakeCall::from(call);
    if (!self.may_emit_) return FLOW_UNIMPLEMENTED;
    if (self.emitted.size() >= self.request_.parts_max) self.cancelled_ = true;
    if (self.cancelled()) {
      self.lacks_a_part_ = true;
      return FLOW_CANCELLED;
    }
    self.emitted.push_back(std::exchange(self.docs, {}));
    return FLOW_OK;
  }
  static void call_finish(flow_call* call, flow_status status) noexcept {
    FakeCall::from(call).finish(status);
  }
  static const void* extension(const flow_host*, const char*) noexcept { return nullptr; }

  const flow_host table_{.size = sizeof(flow_host),
                         .abi_minor = FLOW_ABI_MINOR,
                         .impl = this,
                         .log = on_log,
                         .error = on_error,
                         .value_get = value_get,
                         .value_at = value_at,
                         .value_key = value_key,
                         .doc_children = doc_children,
                         .doc_append = doc_append,
                         .doc_remove = doc_remove,
                         .doc_set_id = doc_set_id,
                         .doc_set_text = doc_set_text,
                         .doc_set_uri = doc_set_uri,
                         .doc_set_mime_type = doc_set_mime_type,
                         .doc_new_blob = doc_new_blob,
                         .doc_new_tensor = doc_new_tensor,
                         .doc_set_tag = doc_set_tag,
                         .doc_set_score = doc_set_score,
                         .call_cancelled = call_cancelled,
                         .call_progress = call_progress,
                         .call_emit = call_emit,
                         .call_finish = call_finish,
                         .extension = extension};
  const flow_plugin plugin_;
  const FakeValue config_;
  flow_executor* executor_ = nullptr;

  mutable std::mutex mutex_;
  std::string error_;
  std::vector<std::string> log_;
};

}  // namespace flow::testing
