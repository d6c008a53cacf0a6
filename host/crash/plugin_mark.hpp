// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

// What a crash report knows beyond the stack: whose code a thread was in, and on whose behalf.
namespace flow::host {

// One request, as views that a signal handler may find gone.
struct MarkedCall {
  std::string_view request_id;
  std::string_view endpoint;
};

// One executor with its plugin. Immutable while it is registered.
struct CrashSubject {
  std::string executor;  // "normalize/rep-0"
  std::string plugin;
  std::string version;
  std::string file;
  std::string build_id;
  // Writes down the calls that it has begun and not ended, `max` at the most, and says how many
  // these are; async-signal-safe. nullptr: it has none.
  std::size_t (*calls)(const void* of, MarkedCall* to, std::size_t max) = nullptr;
  const void* calls_of = nullptr;
};

// A function of a plugin that a thread is in.
struct PluginMark {
  const CrashSubject* subject = nullptr;  // nullptr: nobody said
  std::string_view function;              // "process"; empty: in none
  MarkedCall call;
};

// Of this thread. Signal handlers read it.
inline constinit thread_local PluginMark plugin_mark;

// Marks this thread as being in a plugin for as long as this exists; what the views show must last
// as long.
class InPlugin {
 public:
  explicit InPlugin(const CrashSubject* subject, std::string_view function, MarkedCall call = {})
      : before_(std::exchange(plugin_mark, PluginMark{subject, function, call})) {}
  InPlugin(const InPlugin&) = delete;
  InPlugin& operator=(const InPlugin&) = delete;
  ~InPlugin() { plugin_mark = before_; }

 private:
  const PluginMark before_;
};

}  // namespace flow::host
