// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "core/config.hpp"
#include "flow/v1/plugin_info.pb.h"
#include "google/protobuf/struct.pb.h"

namespace flow::host {

// An executor's `uses_with` as its plugin will see it: checked against the plugin's metadata, with
// defaults filled in. The error's message holds everything that is wrong, one line each, with the
// place in the file. The value of a key that is marked secret appears in no message.
absl::StatusOr<google::protobuf::Struct> check_plugin_config(const core::FlowConfig& config,
                                                             const core::ExecutorConfig& executor,
                                                             const flow::v1::PluginInfo& info);

// Does the plugin serve what its executor's `idempotent` names? An error as above.
absl::Status check_idempotent(const core::FlowConfig& config, const core::ExecutorConfig& executor,
                              const flow::v1::PluginInfo& info);

}  // namespace flow::host
