// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/config.hpp"
#include "host/supervisor/plugin_watch.hpp"

namespace flow::host {

// The files of a Flow's plugins, as they were when a process was last started with each or refused
// to be: what has changed since? Looks at files and runs no code of them. Confined to its loop.
class PluginFiles {
 public:
  struct Change {
    std::size_t executor = 0;
    std::string why;         // "/plugins/libecho.so was replaced"
    absl::Status preflight;  // an error: it could not even be loaded
    bool in_place =
        false;  // the file's content was overwritten: whoever has loaded it is in danger
  };
  struct Stranger {  // a plugin's file that no executor uses
    std::string path;
    absl::Status preflight;
    std::string what;  // "\"echo\" 1.0.0 (ABI 1.0)"
  };
  struct Changes {
    std::vector<Change> executors;
    std::vector<Stranger> others;
  };

  // Remembers the files as they stand.
  void remember(const core::FlowConfig& config);
  // Which of the executors are concerned by changes of `paths`? Remembers what it has seen.
  Changes look(const core::FlowConfig& config, const std::set<std::string>& paths);

  // The folders in which a plugin of the Flow is, or may appear.
  static std::set<std::string> folders(const core::FlowConfig& config);

 private:
  struct Seen {
    std::string path;
    FileIdentity identity;
    std::string build_id;
  };

  static Seen see(const core::FlowConfig& config, std::size_t executor);

  std::vector<Seen> seen_;  // by executor
};

}  // namespace flow::host
