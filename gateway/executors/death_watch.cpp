// SPDX-License-Identifier: Apache-2.0
#include "gateway/executors/death_watch.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "boost/asio/post.hpp"
#include "core/life_lock.hpp"
#include "core/short_turns.hpp"
#include "core/unique_fd.hpp"

namespace flow::gateway {

using core::Life;
using core::LifeRecord;

namespace {

constexpr std::uint32_t kSharedWord = FUTEX_32;
constexpr std::uint32_t kOwnWord = FUTEX_32 | FUTEX_PRIVATE_FLAG;

// Who waits for nothing is refused in one way by a kernel that knows the call, in another by one
// that does not.
bool kernel_can_wait_for_many() {
  return ::syscall(SYS_futex_waitv, nullptr, 0, 0, nullptr, 0) < 0 && errno == EINVAL;
}

// The process that listened at the other end; 0 if the kernel does not know it here.
pid_t peer_of(int connected) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(connected, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

bool is_life_lock(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
         status.st_size == static_cast<off_t>(sizeof(LifeRecord));
}

}  // namespace

// A file and the process that holds its word. The mapping is for the kernel alone: the file is its
// owner's, who may cut it short at any time, and then a look at the mapping would be the end of us.
class DeathWatch::Lock {
 public:
  static std::shared_ptr<Lock> open(const std::string& file, pid_t owner,
                                    std::function<void()> on_death) {
    // O_NONBLOCK: whatever else lies there must not hold us up.
    core::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (!fd || !is_life_lock(fd.get())) return nullptr;
    void* const mapped = ::mmap(nullptr, sizeof(LifeRecord), PROT_READ, MAP_SHARED, fd.get(), 0);
    if (mapped == MAP_FAILED) return nullptr;
    auto lock = std::make_shared<Lock>(std::move(fd), mapped, owner, std::move(on_death));
    return lock->life() == Life::Held ? lock : nullptr;
  }

  Lock(core::UniqueFd fd, void* mapped, pid_t owner, std::function<void()> on_death)
      : fd_(std::move(fd)), mapped_(mapped), owner_(owner), on_death_(std::move(on_death)) {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() { ::munmap(mapped_, sizeof(LifeRecord)); }

  Life life() const {
    std::uint32_t word = 0;
    const ssize_t size = ::pread(fd_.get(), &word, sizeof word, offsetof(LifeRecord, word));
    return size == sizeof word ? core::read_life(word, owner_) : Life::None;
  }
  // For the word to be anything but held.
  futex_waitv waiting() const {
    return {core::held_by(owner_), reinterpret_cast<std::uintptr_t>(address()), kSharedWord, 0};
  }
  // The kernel wakes one of those who wait: there may be another gateway, or the next one.
  void pass_on() const {
    ::syscall(SYS_futex, address(), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }

  // On the loop.
  void end() { on_death_ = nullptr; }
  void died() {
    if (on_death_) std::exchange(on_death_, nullptr)();
  }

 private:
  const void* address() const {
    return static_cast<const char*>(mapped_) + offsetof(LifeRecord, word);
  }

  const core::UniqueFd fd_;
  void* const mapped_;
  const pid_t owner_;
  std::function<void()> on_death_;  // the loop's alone
};

// One thread and the locks that it waits for. Thread-safe.
class DeathWatch::Waiter {
 public:
  static constexpr std::size_t kLocksMax = FUTEX_WAITV_MAX - 1;  // and the word that calls it

  // nullptr if the system grants no thread.
  static std::unique_ptr<Waiter> start(boost::asio::io_context& io) {
    try {
      return std::make_unique<Waiter>(io);
    } catch (const std::system_error&) {
      return nullptr;
    }
  }

  explicit Waiter(boost::asio::io_context& io) : io_(io), thread_([this] { run(); }) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() {
    {
      const std::lock_guard hold(mutex_);
      stopping_ = true;
    }
    call();
    thread_.join();
  }

  // False if it has as many as it can.
  bool add(const std::shared_ptr<Lock>& lock) {
    {
      const std::lock_guard hold(mutex_);
      if (locks_.size() == kLocksMax) return false;
      locks_.push_back(lock);
    }
    call();
    return true;
  }
  void remove(const std::shared_ptr<Lock>& lock) {
    if (forget(lock)) call();
  }
  std::size_t size() const {
    const std::lock_guard hold(mutex_);
    return locks_.size();
  }

 private:
  using Locks = std::vector<std::shared_ptr<Lock>>;

  void call() {
    ++calls_;
    ::syscall(SYS_futex, &calls_, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, nullptr, nullptr, 0);
  }

  void run() {
    sigset_t all;  // signals are the loop's
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    pthread_setname_np(pthread_self(), "death-watch");
    core::prefer_short_turns();
    for (;;) {
      const std::uint32_t calls = calls_;
      const std::optional<Locks> locks = current();
      if (!locks) return;
      if (!settle_ended(*locks)) wait(calls, *locks);
    }
  }

  // nullopt: it is to end.
  std::optional<Locks> current() const {
    const std::lock_guard hold(mutex_);
    if (stopping_) return std::nullopt;
    return locks_;
  }

  // Until something happens to one of them. Each return has a cause that does not come again: a
  // death, a call, or a word that is not what it was, which is then waited for no more. So whatever
  // is written into the files, this thread does not spin.
  void wait(std::uint32_t calls, const Locks& locks) {
    std::array<futex_waitv, FUTEX_WAITV_MAX> words{};
    std::size_t count = 0;
    words[count++] = {calls, reinterpret_cast<std::uintptr_t>(&calls_), kOwnWord, 0};
    for (const auto& lock : locks) words[count++] = lock->waiting();

    const long woken = ::syscall(SYS_futex_waitv, words.data(), count, 0, nullptr, 0);
    const int error = woken < 0 ? errno : 0;
    if (woken == 0 || error == EINTR || calls_ != calls || settle_ended(locks)) return;
    // Somebody plays with a word: with that which woke us, or with any.
    if (woken > 0) {
      forget(locks[static_cast<std::size_t>(woken) - 1]);
    } else {
      for (const auto& lock : locks) forget(lock);
    }
  }

  // True if there was one whose word is not held any more.
  bool settle_ended(const Locks& locks) {
    bool any = false;
    for (const auto& lock : locks) {
      const Life life = lock->life();
      if (life == Life::Held) continue;
      any = true;
      forget(lock);
      if (life != Life::Died) continue;
      boost::asio::post(io_, [lock] { lock->died(); });
      lock->pass_on();
    }
    return any;
  }

  bool forget(const std::shared_ptr<Lock>& lock) {
    const std::lock_guard hold(mutex_);
    return std::erase(locks_, lock) > 0;
  }

  boost::asio::io_context& io_;
  std::atomic<std::uint32_t> calls_ = 0;  // a futex
  mutable std::mutex mutex_;
  Locks locks_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

DeathWatch::DeathWatch(boost::asio::io_context& io) : io_(io) {}

DeathWatch::~DeathWatch() = default;

DeathWatch::Watch::~Watch() {
  lock_->end();
  waiter_.remove(lock_);
}

std::unique_ptr<DeathWatch::Watch> DeathWatch::watch(const std::string& unix_path, int connected,
                                                     std::function<void()> on_death) {
  if (!kernel_can_wait_for_many()) return nullptr;
  auto lock = Lock::open(core::life_lock_file(unix_path), peer_of(connected), std::move(on_death));
  if (lock == nullptr) return nullptr;
  auto waiter = std::ranges::find_if(waiters_, [&](const auto& one) { return one->add(lock); });
  if (waiter == waiters_.end()) {
    auto fresh = Waiter::start(io_);
    if (fresh == nullptr) return nullptr;
    fresh->add(lock);
    waiter = waiters_.insert(waiter, std::move(fresh));
  }
  return std::make_unique<Watch>(**waiter, std::move(lock));
}

std::size_t DeathWatch::watched() const {
  std::size_t count = 0;
  for (const auto& waiter : waiters_) count += waiter->size();
  return count;
}

}  // namespace flow::gateway
