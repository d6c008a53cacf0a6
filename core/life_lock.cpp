// SPDX-License-Identifier: Apache-2.0
#include "core/life_lock.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "core/short_turns.hpp"
#include "core/status.hpp"
#include "core/unique_fd.hpp"
#include "fmt/format.h"

namespace flow::core {
namespace {

constexpr std::uint32_t kDied = FUTEX_OWNER_DIED | FUTEX_WAITERS;

}  // namespace

// That somebody waits is said from the start: the kernel wakes nobody otherwise, and those who wait
// may then map the file for reading alone.
std::uint32_t held_by(pid_t owner) { return static_cast<std::uint32_t>(owner) | FUTEX_WAITERS; }

Life read_life(std::uint32_t word, pid_t owner) {
  if (owner <= 0) return Life::None;
  if (word == held_by(owner)) return Life::Held;
  return word == kDied ? Life::Died : Life::None;
}

std::string life_lock_file(std::string_view unix_path) {
  return fmt::format("{}.alive", unix_path);
}

// One file with its word.
class LifeLock::Record {
 public:
  static absl::StatusOr<std::unique_ptr<Record>> make(const std::string& file) {
    // Nobody may find it before it says who holds it.
    std::string draft = file + ".XXXXXX";
    UniqueFd fd(::mkostemp(draft.data(), O_CLOEXEC));
    if (!fd) return system_error(errno, fmt::format("cannot make {}", draft));
    auto record = fill(std::move(fd));
    if (record.ok() && ::rename(draft.c_str(), file.c_str()) != 0) {
      record = system_error(errno, fmt::format("cannot rename {} to {}", draft, file));
    }
    if (!record.ok()) {
      ::unlink(draft.c_str());
      return with_context(record.status(), file);
    }
    (*record)->file_ = file;
    return record;
  }

  Record(UniqueFd fd, LifeRecord* mapped) : fd_(std::move(fd)), mapped_(mapped) {}
  Record(const Record&) = delete;
  Record& operator=(const Record&) = delete;
  ~Record() {
    // Written, not stored: a plugin may have cut the file short, and then the mapping is a trap.
    const std::uint32_t released = 0;
    [[maybe_unused]] const ssize_t size =
        ::pwrite(fd_.get(), &released, sizeof released, offsetof(LifeRecord, word));
    ::munmap(mapped_, sizeof *mapped_);
    if (!file_.empty()) ::unlink(file_.c_str());
  }

  // For the kernel's list, whose walk looks for the word where `word` is, seen from `next`.
  robust_list& node() { return mapped_->next; }

 private:
  static absl::StatusOr<std::unique_ptr<Record>> fill(UniqueFd fd) {
    LifeRecord record{};
    record.word = held_by(::gettid());
    if (::pwrite(fd.get(), &record, sizeof record, 0) != sizeof record) {
      return system_error(errno, "cannot write");
    }
    void* const mapped =
        ::mmap(nullptr, sizeof record, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (mapped == MAP_FAILED) return system_error(errno, "cannot map");
    return std::make_unique<Record>(std::move(fd), static_cast<LifeRecord*>(mapped));
  }

  UniqueFd fd_;
  LifeRecord* mapped_;
  std::string file_;
};

LifeLock::LifeLock() {
  list_.list.next = &list_.list;
  list_.futex_offset =
      static_cast<long>(offsetof(LifeRecord, word)) - static_cast<long>(offsetof(LifeRecord, next));
}

absl::StatusOr<std::unique_ptr<LifeLock>> LifeLock::hold(std::span<const std::string> files) {
  if (::gettid() != ::getpid()) {
    return error(absl::StatusCode::kFailedPrecondition,
                 fmt::format("thread {} of process {} cannot hold its life lock: the main thread "
                             "must, since its end is the process's",
                             ::gettid(), ::getpid()));
  }
  std::unique_ptr<LifeLock> lock(new LifeLock);
  if (::syscall(SYS_get_robust_list, 0, &lock->before_, &lock->before_size_) != 0 ||
      ::syscall(SYS_set_robust_list, &lock->list_, sizeof lock->list_) != 0) {
    lock->before_ = nullptr;
    return system_error(errno, "cannot hold a life lock");
  }
  for (const std::string& file : files) FLOW_RETURN_IF_ERROR(lock->add(file));
  // To end, a thread must have its turn.
  prefer_short_turns();
  return lock;
}

absl::Status LifeLock::add(const std::string& file) {
  FLOW_ASSIGN_OR_RETURN(auto record, Record::make(file));
  record->node().next = list_.list.next;
  list_.list.next = &record->node();
  records_.push_back(std::move(record));
  return absl::OkStatus();
}

LifeLock::~LifeLock() {
  if (before_ != nullptr) ::syscall(SYS_set_robust_list, before_, before_size_);
}

}  // namespace flow::core
