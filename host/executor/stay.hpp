// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <mutex>
#include <optional>

#include "host/executor/clock.hpp"

namespace flow::host {

// The kernel's number of the calling thread, by which another can ask it where it is.
inline pid_t this_thread() {
  static thread_local const pid_t id = ::gettid();
  return id;
}

// A function of a plugin that at most one thread at a time is inside of, as others see it.
// Thread-safe.
class Stay {
 public:
  struct Inside {
    pid_t thread;
    std::uint64_t since_ns;
  };
  std::optional<Inside> inside() const {
    const std::lock_guard lock(mutex_);
    return inside_;
  }

  // Inside for its own lifetime.
  class Mark {
   public:
    explicit Mark(Stay& stay) : stay_(stay) { stay_.set(Inside{this_thread(), monotonic_ns()}); }
    Mark(const Mark&) = delete;
    Mark& operator=(const Mark&) = delete;
    ~Mark() { stay_.set(std::nullopt); }

   private:
    Stay& stay_;
  };

 private:
  void set(std::optional<Inside> inside) {
    const std::lock_guard lock(mutex_);
    inside_ = inside;
  }

  mutable std::mutex mutex_;
  std::optional<Inside> inside_;
};

}  // namespace flow::host
