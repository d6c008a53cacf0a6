// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "boost/asio/any_io_executor.hpp"
#include "boost/asio/posix/stream_descriptor.hpp"
#include "boost/asio/steady_timer.hpp"

namespace flow::host {

// Which file stands under a name: a replaced one is another, even if it has the same content.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t modified_ns = 0;
  std::uint64_t size = 0;
  bool operator==(const FileIdentity&) const = default;
};
// All zero if there is none.
FileIdentity identify_file(const std::string& path);

// Tells of files that came into folders by a rename or were written there, once nothing has
// happened for kPluginSettle: whoever copies a build's output replaces several. Folders that do not
// exist are not watched. Confined to its loop.
class PluginWatch {
 public:
  using Changed = std::function<void(const std::set<std::string>& paths)>;

  PluginWatch(const boost::asio::any_io_executor& loop, Changed changed);
  PluginWatch(const PluginWatch&) = delete;
  PluginWatch& operator=(const PluginWatch&) = delete;

  // In addition to those that are watched already. An error if nothing can be watched at all.
  absl::Status watch(const std::set<std::string>& folders);

 private:
  void wait();
  void read();

  const Changed changed_;
  boost::asio::posix::stream_descriptor events_;
  boost::asio::steady_timer settled_;
  std::map<int, std::string> folders_;  // by watch descriptor
  std::set<std::string> paths_;         // that changed since the last call of changed_
};

}  // namespace flow::host
