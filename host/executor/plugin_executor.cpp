// SPDX-License-Identifier: Apache-2.0
#include "host/executor/plugin_executor.hpp"

#include <array>
#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "host/crash/thrown.hpp"
#include "host/executor/status_text.hpp"
#include "host/executor/values.hpp"

namespace flow::host {
namespace {

std::string_view as_text(flow_str text) {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

// ---- the functions of flow_host that are about a call -------------------------------------------

Call& as_call(flow_call* call) { return *static_cast<Call*>(call); }
const Call& as_call(const flow_call* call) { return *static_cast<const Call*>(call); }

// Runs `function` on the documents of a call that is alive; `otherwise` for any other.
template <typename Result, typename Function>
Result with_documents(flow_call* call, Result otherwise, Function function) {
  if (call == nullptr || !as_call(call).is_alive()) return otherwise;
  return function(as_call(call).documents());
}
template <typename Function>
flow_status edit(flow_call* call, Function function) {
  return with_documents<flow_status>(call, FLOW_INVALID_ARGUMENT, function);
}

flow_docs doc_children(flow_call* call, const void* doc, std::uint32_t kind) noexcept {
  return with_documents(call, flow_docs{nullptr, 0, sizeof(flow_doc), 0},
                        [&](Documents& documents) { return documents.children(doc, kind); });
}
flow_status doc_append(flow_call* call, const void* parent, std::uint32_t kind,
                       const void** doc) noexcept {
  return edit(call, [&](auto& documents) { return documents.append(parent, kind, doc); });
}
flow_status doc_remove(flow_call* call, const void* doc) noexcept {
  return edit(call, [&](auto& documents) { return documents.remove(doc); });
}
flow_status doc_set_id(flow_call* call, const void* doc, flow_str id) noexcept {
  return edit(call, [&](auto& documents) { return documents.set_id(doc, id); });
}
flow_status doc_set_text(flow_call* call, const void* doc, flow_str text) noexcept {
  return edit(call, [&](auto& documents) { return documents.set_text(doc, text); });
}
flow_status doc_set_uri(flow_call* call, const void* doc, flow_str uri) noexcept {
  return edit(call, [&](auto& documents) { return documents.set_uri(doc, uri); });
}
flow_status doc_set_mime_type(flow_call* call, const void* doc, flow_str type) noexcept {
  return edit(call, [&](auto& documents) { return documents.set_mime_type(doc, type); });
}
flow_status doc_new_blob(flow_call* call, const void* doc, std::uint64_t size,
                         std::uint8_t** bytes) noexcept {
  return edit(call, [&](auto& documents) { return documents.new_blob(doc, size, bytes); });
}
flow_status doc_new_tensor(flow_call* call, const void* doc, std::uint32_t field,
                           const flow_tensor* shape, void** elements) noexcept {
  return edit(call,
              [&](auto& documents) { return documents.new_tensor(doc, field, shape, elements); });
}
flow_status doc_set_tag(flow_call* call, const void* doc, flow_str key,
                        const flow_value* value) noexcept {
  return edit(call, [&](auto& documents) { return documents.set_tag(doc, key, value); });
}
flow_status doc_set_score(flow_call* call, const void* doc, flow_str name, double value) noexcept {
  return edit(call, [&](auto& documents) { return documents.set_score(doc, name, value); });
}

std::int32_t call_cancelled(const flow_call* call) noexcept {
  return call == nullptr || as_call(call).is_cancelled() ? 1 : 0;
}
void call_progress(flow_call* call) noexcept {
  if (call != nullptr && as_call(call).is_alive()) as_call(call).progress();
}
flow_status call_emit(flow_call* call) noexcept {
  if (call == nullptr || !as_call(call).is_alive()) return FLOW_INVALID_ARGUMENT;
  return as_call(call).emit();
}
flow_status refuse_emit(flow_call* call) noexcept {
  return call == nullptr ? FLOW_INVALID_ARGUMENT : as_call(call).refuse_emit();
}

const void* no_extension(const flow_host*, const char*) noexcept { return nullptr; }

spdlog::level::level_enum log_level(flow_level level) {
  constexpr std::array kLevels = {spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                                  spdlog::level::warn, spdlog::level::err};
  const bool known = level >= 0 && static_cast<std::size_t>(level) < kLevels.size();
  return known ? kLevels[static_cast<std::size_t>(level)] : spdlog::level::info;
}

}  // namespace

// ---- the table
// -----------------------------------------------------------------------------------

flow_host PluginExecutor::functions(const flow_plugin& plugin) {
  flow_host table{};
  table.size = sizeof(flow_host);
  table.abi_minor = FLOW_ABI_MINOR;
  table.log = [](const flow_host* host, flow_level level, flow_str line) noexcept {
    if (host == nullptr) return;
    const auto text = as_text(line);
    static_cast<const Host*>(host->impl)
        ->logger->log(log_level(level), "{}", text.substr(0, text.find_last_not_of("\r\n") + 1));
  };
  table.error = [](const flow_host* host, flow_call* call, flow_str text) noexcept {
    if (call != nullptr) {
      // The C++ SDK speaks from the `catch` that keeps a plugin's exception from us.
      const Thrown* thrown = thrown_in_hand();
      if (as_call(call).is_alive()) {
        as_call(call).set_error(as_text(text), thrown == nullptr ? nullptr : &thrown->stack);
      }
    } else if (host != nullptr) {
      auto& self = *static_cast<Host*>(host->impl);
      const std::lock_guard lock(self.mutex);
      self.error.assign(as_text(text).substr(0, core::limits::kErrorTextMax));
    }
  };
  table.value_get = value_get;
  table.value_at = value_at;
  table.value_key = value_key;
  table.doc_children = doc_children;
  table.doc_append = doc_append;
  table.doc_remove = doc_remove;
  table.doc_set_id = doc_set_id;
  table.doc_set_text = doc_set_text;
  table.doc_set_uri = doc_set_uri;
  table.doc_set_mime_type = doc_set_mime_type;
  table.doc_new_blob = doc_new_blob;
  table.doc_new_tensor = doc_new_tensor;
  table.doc_set_tag = doc_set_tag;
  table.doc_set_score = doc_set_score;
  table.call_cancelled = call_cancelled;
  table.call_progress = call_progress;
  table.call_emit = (plugin.flags & FLOW_STREAMS) != 0 ? call_emit : refuse_emit;
  table.call_finish = [](flow_call* call, flow_status status) noexcept {
    if (call != nullptr) as_call(call).finish(status);
  };
  table.extension = no_extension;
  return table;
}

PluginExecutor::Host::Host(const flow_plugin& plugin, core::Logger plugin_logger)
    : flow_host(functions(plugin)), logger(std::move(plugin_logger)) {
  impl = this;
}

std::string PluginExecutor::Host::take_error() {
  const std::lock_guard lock(mutex);
  return std::exchange(error, {});
}

// ---- the plugin's functions
// ----------------------------------------------------------------------

PluginExecutor::PluginExecutor(const flow_plugin& table, google::protobuf::Struct config,
                               core::Logger logger, std::unique_ptr<Faults> faults,
                               const CrashSubject* subject)
    : table_(table),
      config_(std::move(config)),
      host_(table, std::move(logger)),
      faults_(std::move(faults)),
      subject_(subject) {}

absl::Status PluginExecutor::to_status(flow_status status, std::string_view function) {
  const std::string text = valid_utf8(host_.take_error());
  if (status == FLOW_OK) return absl::OkStatus();
  const auto code = status == FLOW_RESOURCE_EXHAUSTED ? absl::StatusCode::kResourceExhausted
                                                      : absl::StatusCode::kFailedPrecondition;
  return core::error(code, fmt::format("{} returned {}: {}", function, status_name(status),
                                       text.empty() ? "the plugin gave no reason" : text));
}

bool PluginExecutor::has_health() const { return FLOW_HAS(&table_, health); }

bool PluginExecutor::has_cancel() const { return FLOW_HAS(&table_, cancel); }

absl::Status PluginExecutor::create() {
  if (faults_) faults_->before_create();
  const flow_value config = view(config_);
  const Stay::Mark stay(in_create_);
  const InPlugin mark(subject_, "create");
  FLOW_RETURN_IF_ERROR(to_status(table_.create(&host_, &config, &executor_), "create()"));
  created_ = true;
  return absl::OkStatus();
}

void PluginExecutor::destroy() {
  const InPlugin mark(subject_, "destroy");
  if (std::exchange(created_, false)) table_.destroy(std::exchange(executor_, nullptr));
}

Call::AfterReturn PluginExecutor::process(Call& call) {
  const CallSpec& spec = call.spec();
  const auto docs = call.documents().view_roots();
  if (!docs.ok()) {
    call.set_error(core::message(docs.status()));
    return call.returned(FLOW_INVALID_ARGUMENT, table_.flags);
  }
  const auto view_of = [](std::string_view text) { return flow_str{text.data(), text.size()}; };
  flow_request& request = call.request();
  request = {};
  request.size = sizeof request;
  request.id = view_of(spec.message->header().request_id());
  request.endpoint = view_of(spec.endpoint);
  request.trace = view_of(spec.trace);
  request.deadline_ns = spec.deadline_ns;
  request.parameters =
      view(spec.parameters == nullptr ? spec.message->parameters() : *spec.parameters);
  request.docs = *docs;
  const auto status = [&] {
    const InPlugin mark(subject_, "process", {as_text(request.id), as_text(request.endpoint)});
    if (faults_) {
      if (const auto instead = faults_->before_process(call)) return *instead;
    }
    return table_.process(executor_, &request, &call);
  }();
  return call.returned(status, table_.flags);
}

absl::Status PluginExecutor::health() {
  if (!has_health()) return absl::OkStatus();
  const Stay::Mark stay(in_health_);
  const InPlugin mark(subject_, "health");
  return to_status(table_.health(executor_), "health()");
}

void PluginExecutor::cancel(Call& call) {
  if (!has_cancel() || !call.begin_cancel()) return;
  const auto& request = call.request();
  const Stay::Mark stay(in_cancel_);
  const InPlugin mark(subject_, "cancel", {as_text(request.id), as_text(request.endpoint)});
  table_.cancel(executor_, &call);
}

}  // namespace flow::host
