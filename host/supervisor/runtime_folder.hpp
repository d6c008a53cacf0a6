// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/unique_fd.hpp"

namespace flow::host {

// A folder that only this user may enter, for the Unix sockets of one running Flow: made under
// `parent`, gone with this object. Folders that killed supervisors left there are removed on the
// way. Confined to its loop.
class RuntimeFolder {
 public:
  static absl::StatusOr<std::unique_ptr<RuntimeFolder>> create(const std::string& parent);
  RuntimeFolder(const RuntimeFolder&) = delete;
  RuntimeFolder& operator=(const RuntimeFolder&) = delete;
  ~RuntimeFolder();

  const std::string& path() const { return path_; }
  // "<path>/executor0-1.sock", or "<path>/executor0-1.7.sock" of a later generation; empty if that
  // is too long for the address of a Unix socket.
  std::string socket_path(const std::string& executor, std::uint32_t replica,
                          std::uint64_t generation = 0) const;
  // Where flowctl asks: see ControlSocket. No executor's socket has this name.
  std::string control_path() const;

 private:
  RuntimeFolder(std::string path, core::UniqueFd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  core::UniqueFd lock_;  // on the folder itself: says that its owner lives
};

// The control_path() of every supervisor that may be running and whose folder is under `parent`,
// with its process id.
struct RunningFlow {
  pid_t pid = 0;
  std::string control_path;
};
std::vector<RunningFlow> running_flows(const std::string& parent);

// $XDG_RUNTIME_DIR, or /tmp without one.
std::string runtime_parent();

}  // namespace flow::host
