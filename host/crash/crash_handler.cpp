// SPDX-License-Identifier: Apache-2.0
#include "host/crash/crash_handler.hpp"

#include <fcntl.h>
#include <linux/limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <ctime>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "fmt/format.h"
#include "host/crash/crash_folder.hpp"
#include "host/crash/crash_report.hpp"
#include "host/crash/safe_writer.hpp"
#include "host/crash/thrown.hpp"
#include "host/stack/module_at.hpp"
#include "host/stack/stack.hpp"

namespace flow::host {
namespace {

namespace limits = core::limits;

// ---- what the handler finds prepared: process-wide, as it is itself ---------------------------

// "<folder>/<process>-", to which the moment and the process id come.
constinit std::array<char, PATH_MAX> path_prefix{};
// Given up for the report: the process may have died because it has no descriptors left.
constinit int spare_fd = -1;
constinit std::array<std::atomic<const CrashSubject*>, limits::kExecutorsMax> subjects{};

// ---- the one report that a process writes -------------------------------------------------------

enum class Stage { Nothing, Facts, Stack, Rest };

struct Report {
  std::atomic<pid_t> writer{0};  // the thread that died first
  Stage stage = Stage::Nothing;  // the writer's, which may fault itself
  siginfo_t info{};
  const ucontext_t* at = nullptr;
  std::int64_t time_ns = 0;
  int fd = -1;
  RawStack stack;
};
constinit Report report{};

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

int open_report() {
  std::array<char, PATH_MAX> path;
  std::size_t size = 0;
  const auto add = [&](std::string_view text) {
    const std::size_t count = std::min(text.size(), path.size() - 1 - size);
    std::copy_n(text.begin(), count, path.begin() + static_cast<std::ptrdiff_t>(size));
    size += count;
  };
  add(path_prefix.data());
  std::array<char, kUtcTextMax> time;
  add(utc_into(report.time_ns, UtcForm::Compact, time));
  add("-");
  std::array<char, 16> pid;
  add({pid.begin(), std::to_chars(pid.begin(), pid.end(), ::getpid()).ptr});
  add(kCrashSuffix);
  path[size] = '\0';
  ::close(spare_fd);
  return ::open(path.data(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

// What the interrupted thread knows, before anything is looked at that may be broken.
void write_facts(SafeWriter& to) {
  const siginfo_t& info = report.info;
  std::array<char, kUtcTextMax> time;
  std::array<char, 16> thread_name{};
  ::prctl(PR_GET_NAME, thread_name.data());
  to.text(kCrashReportHead).text("\n");
  to.text("time: ").text(utc_into(report.time_ns, UtcForm::Readable, time));
  to.text("\nprocess: ").decimal(::getpid());
  to.text("\nthread: ").decimal(::gettid()).text(" ").foreign(thread_name.data());
  to.text("\nsignal: ").decimal(info.si_signo);
  to.text("\ncode: ").decimal(info.si_code);
  if (info.si_code <= 0) {
    to.text("\nsender: ").decimal(info.si_pid);
  } else if (info.si_code != SI_KERNEL) {  // else there is a 0, which looks like a null pointer
    to.text("\naddress: ").hexadecimal(reinterpret_cast<std::uintptr_t>(info.si_addr));
  }
  to.text("\n");
  to.flush();
}

void write_subject(SafeWriter& to, const CrashSubject& subject) {
  to.text("executor: ").foreign(subject.executor);
  to.text("\nplugin: ").foreign(subject.plugin);
  to.text("\nplugin_version: ").foreign(subject.version);
  to.text("\nplugin_file: ").foreign(subject.file);
  to.text("\nplugin_build_id: ").foreign(subject.build_id);
  to.text("\n");
}

// Ids and endpoints are the callers', and as long as these like: a few hundred bytes tell them
// apart, more would leave no room for the stack.
constexpr std::size_t kNameInReportMax = 256;

void write_name(SafeWriter& to, std::string_view name) {
  to.foreign(name.substr(0, kNameInReportMax));
  if (name.size() > kNameInReportMax) to.text("...");
}

void write_call(SafeWriter& to, const MarkedCall& call) {
  write_name(to, call.request_id);
  to.text(" ");
  write_name(to, call.endpoint);
  to.text("\n");
}

// Whose code it was. A thread of a plugin's own is not marked: then it may be any executor's.
void write_whose(SafeWriter& to) {
  const PluginMark& mark = plugin_mark;
  if (!mark.function.empty()) {
    to.text("function: ").text(mark.function).text("\n");
    const bool for_a_call = !mark.call.request_id.empty() || !mark.call.endpoint.empty();
    if (for_a_call) write_call(to.text("request: "), mark.call);
  }
  std::array<MarkedCall, limits::kCrashCallsMax> calls;
  for (const auto& each : subjects) {
    const CrashSubject* subject = each.load(std::memory_order_acquire);
    if (subject == nullptr || (mark.subject != nullptr && subject != mark.subject)) continue;
    write_subject(to, *subject);
    if (subject->calls == nullptr) continue;
    const std::size_t count = subject->calls(subject->calls_of, calls.data(), calls.size());
    for (std::size_t i = 0; i < std::min(count, calls.size()); ++i) {
      if (calls[i].request_id.data() == mark.call.request_id.data()) continue;
      write_call(to.text("in_hand: "), calls[i]);
    }
  }
}

void write_exception(SafeWriter& to) {
  const Thrown* thrown = thrown_in_hand();
  if (report.info.si_signo != SIGABRT || thrown == nullptr) return;
  to.text("exception: ").foreign(thrown->type->name()).text(" ").foreign(thrown->message.data());
  to.text("\n");
}

void write_stack(SafeWriter& to) {
  for (std::size_t i = 0; i < report.stack.count; ++i) {
    const std::uintptr_t address = report.stack.frames[i];
    to.text("frame: ").hexadecimal(address);
    Module module;
    if (module_at(address, module)) {
      to.text(" ").hexadecimal(address - module.base).text(" ");
      module.build_id.empty() ? to.text("-") : to.bytes(module.build_id);
      to.text(" ").foreign(module.path);
    }
    to.text("\n");
  }
  to.flush();
}

// Everything that is loaded. The loader's list is read without its lock, which the thread may hold:
// so it comes last.
void write_modules(SafeWriter& to) {
  Module module;
  if (!module_at(reinterpret_cast<std::uintptr_t>(&write_modules), module)) return;
  const link_map* entry = module.entry;
  while (entry->l_prev != nullptr) entry = entry->l_prev;
  for (std::size_t i = 0; entry != nullptr && i < limits::kCrashModulesMax;
       ++i, entry = entry->l_next) {
    if (!module_at(reinterpret_cast<std::uintptr_t>(entry->l_ld), module)) continue;
    to.text("module: ").hexadecimal(module.begin).text(" ").hexadecimal(module.end).text(" ");
    module.build_id.empty() ? to.text("-") : to.bytes(module.build_id);
    to.text(" ").foreign(module.path).text("\n");
  }
}

// Once more, without us.
[[noreturn]] void end_by_signal() {
  siginfo_t info = report.info;
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  ::sigaction(info.si_signo, &by_default, nullptr);
  sigset_t only;
  ::sigemptyset(&only);
  ::sigaddset(&only, info.si_signo);
  ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  // With what the kernel said, for the core file.
  ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), ::gettid(), info.si_signo, &info);
  ::syscall(SYS_tgkill, ::getpid(), ::gettid(), info.si_signo);
  ::_exit(128 + info.si_signo);
}

// Whatever holds up the report (a disk, a lock) must not keep a dead process: on SIGALRM it dies as
// it would have without a report.
void end_in_time() {
  struct sigaction late {};
  late.sa_handler = [](int) { end_by_signal(); };
  late.sa_flags = SA_ONSTACK;
  ::sigemptyset(&late.sa_mask);
  ::sigaction(SIGALRM, &late, nullptr);
  sigset_t only;
  ::sigemptyset(&only);
  ::sigaddset(&only, SIGALRM);
  ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  ::alarm(static_cast<unsigned>(limits::kCrashReportTime / std::chrono::seconds(1)));
}

// The thread that writes comes here again if what it looks at is broken: it goes on behind that.
void write_report() {
  // Whatever the facts are, the stack has room.
  constexpr std::size_t kForFacts = limits::kCrashReportBytesMax / 2;
  constexpr std::size_t kForTheRest = limits::kCrashReportBytesMax - kForFacts;
  if (report.stage == Stage::Nothing) {
    report.stage = Stage::Facts;
    report.time_ns = now_ns();
    report.fd = open_report();
    SafeWriter to(report.fd, kForFacts);
    write_facts(to);
    write_whose(to);
    write_exception(to);
    to.flush();
  }
  if (report.stage == Stage::Facts) {
    report.stage = Stage::Stack;
    capture_stack(report.stack, report.at);
  }
  if (report.stage == Stage::Stack) {
    report.stage = Stage::Rest;
    SafeWriter to(report.fd, kForTheRest);
    to.text("\n");  // the facts may have ended within a line
    write_stack(to);
    write_modules(to);
    to.text(kCrashReportTail).text("\n").flush();
  }
}

void on_crash(int, siginfo_t* info, void* context) {
  pid_t nobody = 0;
  const pid_t self = ::gettid();
  if (report.writer.compare_exchange_strong(nobody, self)) {
    report.info = *info;
    report.at = static_cast<const ucontext_t*>(context);
    end_in_time();
  } else if (nobody != self) {
    // Another thread died first. It ends us all, or its alarm does.
    while (true) ::pause();
  }
  write_report();
  end_by_signal();
}

bool has_handler(int signal) {
  struct sigaction now {};
  ::sigaction(signal, nullptr, &now);
  return (now.sa_flags & SA_SIGINFO) != 0 ||
         (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN);
}

// Room for the state of every register that a processor may have, and for the handler.
std::size_t alternate_stack_bytes() {
  const long needed = ::sysconf(_SC_SIGSTKSZ);
  return static_cast<std::size_t>(std::max(needed, 0L)) + limits::kSignalStackBytes;
}

}  // namespace

absl::Status install_crash_handler(const std::string& folder, const std::string& process) {
  FLOW_RETURN_IF_ERROR(prepare_crash_folder(folder));
  const std::string prefix = fmt::format("{}/{}-", folder, process);
  // The moment, the process and the suffix need less than this.
  constexpr std::size_t kNameRest = 64;
  if (prefix.size() + kNameRest > path_prefix.size()) {
    return core::error(absl::StatusCode::kInvalidArgument,
                       fmt::format("{}: the path is too long for a report in it", folder));
  }
  std::copy(prefix.begin(), prefix.end(), path_prefix.begin());
  path_prefix[prefix.size()] = '\0';
  spare_fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);

  struct sigaction action {};
  action.sa_sigaction = on_crash;
  // Not blocked meanwhile: a report that runs into something broken goes on behind it.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  ::sigemptyset(&action.sa_mask);
  for (const int signal : kCrashSignals) {
    if (!has_handler(signal)) ::sigaction(signal, &action, nullptr);
  }
  return absl::OkStatus();
}

CrashRegistration::CrashRegistration(const CrashSubject& subject) : slot_(0) {
  for (; slot_ < subjects.size(); ++slot_) {
    const CrashSubject* none = nullptr;
    if (subjects[slot_].compare_exchange_strong(none, &subject)) return;
  }
}

CrashRegistration::~CrashRegistration() {
  if (slot_ < subjects.size()) subjects[slot_].store(nullptr);
}

PluginThread::PluginThread(const char* name) {
  ::pthread_setname_np(::pthread_self(), name);
  ::sigaltstack(nullptr, &before_);
  size_ = alternate_stack_bytes();
  const bool has_enough = (before_.ss_flags & SS_DISABLE) == 0 && before_.ss_size >= size_;
  if (has_enough) return;
  // The page below it stays forbidden, so that what does not fit is a fault and no corruption.
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  size_ = (size_ + page - 1) / page * page + page;
  void* memory = ::mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t ours{};
  ours.ss_sp = static_cast<std::byte*>(memory) + page;
  ours.ss_size = size_ - page;
  if (::mprotect(ours.ss_sp, ours.ss_size, PROT_READ | PROT_WRITE) != 0 ||
      ::sigaltstack(&ours, nullptr) != 0) {
    ::munmap(memory, size_);
    return;
  }
  stack_ = memory;
}

PluginThread::~PluginThread() {
  if (stack_ == nullptr) return;
  ::sigaltstack(&before_, nullptr);
  ::munmap(stack_, size_);
}

}  // namespace flow::host
