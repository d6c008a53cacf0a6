// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "core/log.hpp"
#include "flow/plugin.h"
#include "google/protobuf/struct.pb.h"
#include "host/crash/plugin_mark.hpp"
#include "host/executor/call.hpp"
#include "host/executor/faults.hpp"
#include "host/executor/stay.hpp"

namespace flow::host {

// One executor that a plugin created, behind C++ types. Says nothing about threads: the dispatcher
// sees to it that each function is called where and when the ABI allows.
class PluginExecutor {
 public:
  // `table` has passed check_table. `config` is what create() gets.
  // `faults` are suffered beside what the plugin does; nullptr: none. Crash reports name `subject`,
  // which must outlive this; nullptr: nobody in particular.
  PluginExecutor(const flow_plugin& table, google::protobuf::Struct config, core::Logger logger,
                 std::unique_ptr<Faults> faults = nullptr, const CrashSubject* subject = nullptr);
  PluginExecutor(const PluginExecutor&) = delete;
  PluginExecutor& operator=(const PluginExecutor&) = delete;

  // [setup]
  absl::Status create();
  void destroy();
  // [work] Runs process(). True: the plugin must be told that the caller of this call left.
  Call::AfterReturn process(Call& call);
  // [any]
  absl::Status health();
  void cancel(Call& call);

  // Who is inside the functions that one thread at a time is inside of.
  const Stay& in_create() const { return in_create_; }
  const Stay& in_health() const { return in_health_; }
  const Stay& in_cancel() const { return in_cancel_; }

  bool has_health() const;
  bool has_cancel() const;
  std::uint32_t flags() const { return table_.flags; }

 private:
  // The table that plugins see; its functions find their way back by being derived from it.
  struct Host : flow_host {
    Host(const flow_plugin& plugin, core::Logger logger);

    core::Logger logger;
    std::mutex mutex;
    std::string error;  // the last text of error() without a call
    std::string take_error();
  };
  static flow_host functions(const flow_plugin& plugin);

  absl::Status to_status(flow_status status, std::string_view function);

  const flow_plugin& table_;
  const google::protobuf::Struct config_;
  Host host_;
  const std::unique_ptr<Faults> faults_;
  const CrashSubject* const subject_;
  flow_executor* executor_ = nullptr;  // may be nullptr although created: the plugin's choice
  bool created_ = false;
  Stay in_create_, in_health_, in_cancel_;
};

}  // namespace flow::host
