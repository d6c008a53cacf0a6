// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "boost/asio/io_context.hpp"

namespace flow::gateway {

// Hears of the deaths of local processes by their life locks (core/life_lock.hpp), long before
// their sockets close. It has a thread for each 127 locks, which is what the kernel lets one wait
// for at once, and none as long as there is nothing to watch: they wait, post to the loop and share
// nothing with it beyond that. What is wrong with a lock, its file or the kernel costs its speed
// and nothing else: the socket says the same later. Confined to its loop.
class DeathWatch {
 public:
  explicit DeathWatch(boost::asio::io_context& io);
  DeathWatch(const DeathWatch&) = delete;
  DeathWatch& operator=(const DeathWatch&) = delete;
  ~DeathWatch();

  class Lock;
  class Waiter;
  // The watch over one process; ends with this object, after which nothing is called. Not to
  // outlive the DeathWatch.
  class Watch {
   public:
    Watch(Waiter& waiter, std::shared_ptr<Lock> lock) : waiter_(waiter), lock_(std::move(lock)) {}
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch();

   private:
    Waiter& waiter_;
    std::shared_ptr<Lock> lock_;  // also its waiter's, until that has heard of the end
  };

  // Watches the process that listens at `unix_path` and that the Unix socket `connected` leads to.
  // `on_death` is called on the loop, once, when it has died without releasing its lock; it may
  // destroy the watch. nullptr if that process has no lock that can be watched: it is older, not on
  // this machine, of another user; or the kernel is older than Linux 5.16.
  std::unique_ptr<Watch> watch(const std::string& unix_path, int connected,
                               std::function<void()> on_death);

  // How many locks are waited for. Also falls when a word turns out to be none.
  std::size_t watched() const;

 private:
  boost::asio::io_context& io_;
  std::vector<std::unique_ptr<Waiter>> waiters_;
};

}  // namespace flow::gateway
