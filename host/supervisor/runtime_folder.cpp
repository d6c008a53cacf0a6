// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/runtime_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/status.hpp"
#include "fmt/format.h"

namespace flow::host {
namespace {

constexpr std::string_view kPrefix = "flow-host-";  // then the process id, '-', six letters
constexpr std::string_view kControl = "control.sock";

core::UniqueFd open_folder(const std::string& path) {
  return core::UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// The process that a folder of ours is named after; 0 if it is none of ours.
pid_t owner_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return 0;
  name.remove_prefix(kPrefix.size());
  pid_t pid = 0;
  const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), pid);
  const bool ours = failure == std::errc() && end != name.data() + name.size() && *end == '-';
  return ours ? pid : 0;
}

void remove_if_stale(const std::string& path, pid_t owner) {
  const bool dead = ::kill(owner, 0) != 0 && errno == ESRCH;
  if (!dead) return;
  const core::UniqueFd folder = open_folder(path);
  struct stat status {};
  if (!folder || ::fstat(folder.get(), &status) != 0 || status.st_uid != ::geteuid()) return;
  // A process id means nothing across containers that share a /tmp; the lock does.
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) return;
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

void remove_stale(const std::string& parent) {
  std::error_code failure;
  std::filesystem::directory_iterator entries(parent, failure);
  for (; !failure && entries != std::filesystem::directory_iterator(); entries.increment(failure)) {
    if (const pid_t owner = owner_of(entries->path().filename().native()); owner > 0) {
      remove_if_stale(entries->path().native(), owner);
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<RuntimeFolder>> RuntimeFolder::create(const std::string& parent) {
  remove_stale(parent);
  std::string path = fmt::format("{}/{}{}-XXXXXX", parent, kPrefix, ::getpid());
  if (::mkdtemp(path.data()) == nullptr) {
    return core::system_error(errno, fmt::format("cannot make a folder in {}", parent));
  }
  core::UniqueFd lock = open_folder(path);
  if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return core::system_error(errno, fmt::format("cannot lock {}", path));
  }
  return std::unique_ptr<RuntimeFolder>(new RuntimeFolder(std::move(path), std::move(lock)));
}

RuntimeFolder::~RuntimeFolder() {
  std::error_code ignored;  // there is nobody left to tell
  std::filesystem::remove_all(path_, ignored);
}

std::string RuntimeFolder::control_path() const { return fmt::format("{}/{}", path_, kControl); }

std::vector<RunningFlow> running_flows(const std::string& parent) {
  std::vector<RunningFlow> found;
  std::error_code failure;
  std::filesystem::directory_iterator entries(parent, failure);
  for (; !failure && entries != std::filesystem::directory_iterator(); entries.increment(failure)) {
    const pid_t owner = owner_of(entries->path().filename().native());
    if (owner > 0) found.push_back({owner, entries->path() / kControl});
  }
  return found;
}

std::string RuntimeFolder::socket_path(const std::string& executor, std::uint32_t replica,
                                       std::uint64_t generation) const {
  std::string path = generation == 0
                         ? fmt::format("{}/{}-{}.sock", path_, executor, replica)
                         : fmt::format("{}/{}-{}.{}.sock", path_, executor, replica, generation);
  if (path.size() >= sizeof(sockaddr_un::sun_path)) return {};
  return path;
}

std::string runtime_parent() {
  const char* folder = std::getenv("XDG_RUNTIME_DIR");
  if (folder != nullptr && folder[0] == '/' && ::access(folder, W_OK | X_OK) == 0) return folder;
  return "/tmp";
}

}  // namespace flow::host
