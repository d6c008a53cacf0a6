// SPDX-License-Identifier: Apache-2.0
#include "host/supervisor/plugin_watch.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"

namespace flow::host {

using boost::system::error_code;

FileIdentity identify_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  constexpr std::int64_t kSecond = 1'000'000'000;
  return {status.st_dev, status.st_ino, status.st_mtim.tv_sec * kSecond + status.st_mtim.tv_nsec,
          static_cast<std::uint64_t>(status.st_size)};
}

PluginWatch::PluginWatch(const boost::asio::any_io_executor& loop, Changed changed)
    : changed_(std::move(changed)), events_(loop), settled_(loop) {}

absl::Status PluginWatch::watch(const std::set<std::string>& folders) {
  if (!events_.is_open()) {
    const int descriptor = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (descriptor < 0) return core::system_error(errno, "inotify");
    events_.assign(descriptor);
    wait();
  }
  for (const std::string& folder : folders) {
    const int watch = ::inotify_add_watch(events_.native_handle(), folder.c_str(),
                                          IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);
    if (watch >= 0) folders_[watch] = folder;
  }
  return absl::OkStatus();
}

void PluginWatch::wait() {
  events_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](error_code failure) {
    if (failure) return;
    read();
    wait();
  });
}

void PluginWatch::read() {
  alignas(inotify_event) std::array<char, 16 << 10> buffer;
  const ssize_t size = ::read(events_.native_handle(), buffer.data(), buffer.size());
  for (ssize_t at = 0; at < size;) {
    inotify_event event{};
    std::memcpy(&event, buffer.data() + at, sizeof event);
    const char* name = buffer.data() + at + sizeof event;
    at += static_cast<ssize_t>(sizeof event + event.len);
    const auto folder = folders_.find(event.wd);
    if (folder == folders_.end() || event.len == 0) continue;
    if (paths_.size() >= core::limits::kChangedFilesMax) break;
    paths_.insert((std::filesystem::path(folder->second) / name).lexically_normal());
  }
  if (paths_.empty()) return;
  settled_.expires_after(core::limits::kPluginSettle);
  settled_.async_wait([this](error_code failure) {
    if (failure) return;
    changed_(std::exchange(paths_, {}));
  });
}

}  // namespace flow::host
