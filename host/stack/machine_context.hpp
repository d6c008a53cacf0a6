// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

// What differs between processors in the state of an interrupted thread. Async-signal-safe.
namespace flow::host {

#if defined(__x86_64__)
inline std::uintptr_t program_counter(const ucontext_t& at) {
  return static_cast<std::uintptr_t>(at.uc_mcontext.gregs[REG_RIP]);
}
inline std::uintptr_t stack_pointer(const ucontext_t& at) {
  return static_cast<std::uintptr_t>(at.uc_mcontext.gregs[REG_RSP]);
}
#elif defined(__aarch64__)
inline std::uintptr_t program_counter(const ucontext_t& at) { return at.uc_mcontext.pc; }
inline std::uintptr_t stack_pointer(const ucontext_t& at) { return at.uc_mcontext.sp; }
#else
#error "this processor's signal context is not known here"
#endif

// Can a word be read there? The kernel looks at the mask before it finds that it does not know what
// to do with it, and faults for us.
inline bool is_readable(std::uintptr_t address) {
  constexpr int kNoSuchOperation = ~0;
  constexpr std::size_t kKernelMaskBytes = 8;
  const int before = errno;
  ::syscall(SYS_rt_sigprocmask, kNoSuchOperation, address, nullptr, kKernelMaskBytes);
  const bool readable = errno != EFAULT;
  errno = before;
  return readable;
}

// Puts a thread that has just called an address that is no code back into the call. False if there
// is nothing to go back to.
inline bool undo_call(ucontext_t& at) {
#if defined(__x86_64__)
  const std::uintptr_t stack = stack_pointer(at);
  if (stack % sizeof(std::uintptr_t) != 0 || !is_readable(stack)) return false;
  const auto back = *reinterpret_cast<const std::uintptr_t*>(stack);
  at.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(back - 1);
  at.uc_mcontext.gregs[REG_RSP] += static_cast<greg_t>(sizeof back);
#else
  constexpr std::size_t kLinkRegister = 30;
  at.uc_mcontext.pc = at.uc_mcontext.regs[kLinkRegister] - 1;
#endif
  return true;
}

}  // namespace flow::host
