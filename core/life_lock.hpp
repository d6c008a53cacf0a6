// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/futex.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

// The life lock: a word in a small file that a process holds for as long as it lives and that the
// kernel marks at its death, before it frees the process's memory and closes its sockets. Whoever
// waits for the word hears of the death in a fraction of a millisecond, however much memory there
// is to free (docs/decisions/0023-life-lock.md).
namespace flow::core {

// What the file holds, and all that it holds: the shape of man set_robust_list.
struct LifeRecord {
  robust_list next;    // the holder's; of no meaning to anybody else
  std::uint32_t word;  // a futex: the holder, and that somebody may wait for it
  std::uint32_t unused;
};

// What a word says of the process `owner`, whose main thread holds it.
enum class Life {
  Held,  // it lives
  Died,  // it ended without a word
  None,  // it ended in order, or this is no word of this process: nothing can be learned here
};
Life read_life(std::uint32_t word, pid_t owner);
// The word while it lives.
std::uint32_t held_by(pid_t owner);

// The file beside the Unix socket that a process listens on.
std::string life_lock_file(std::string_view unix_path);

// A process's life locks. Giving them up, by destruction, is an end in order and no death. Takes
// the kernel's list of robust mutexes of the calling thread for itself: nothing else in that thread
// may rely on one. Confined to its thread, which must be the main one: the kernel goes by the
// thread's end, and readers know a process by its id.
class LifeLock {
 public:
  // Puts each file into place whole, in the stead of one that is there: to be done before
  // listening, so that who has connected finds the word of the process that he is connected to.
  // An error names the file.
  static absl::StatusOr<std::unique_ptr<LifeLock>> hold(std::span<const std::string> files);
  LifeLock(const LifeLock&) = delete;
  LifeLock& operator=(const LifeLock&) = delete;
  ~LifeLock();

 private:
  class Record;

  LifeLock();
  absl::Status add(const std::string& file);

  robust_list_head list_{};             // what the kernel walks; it must not move
  robust_list_head* before_ = nullptr;  // the C library's
  std::size_t before_size_ = 0;
  std::vector<std::unique_ptr<Record>> records_;
};

}  // namespace flow::core
