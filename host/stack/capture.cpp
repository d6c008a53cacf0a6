// SPDX-License-Identifier: Apache-2.0
//
// The stack of the own thread.
#include <unwind.h>

#include "host/stack/machine_context.hpp"
#include "host/stack/module_at.hpp"
#include "host/stack/stack.hpp"

namespace flow::host {
namespace {

struct Walk {
  RawStack& stack;
  const std::uintptr_t from;  // the address with which to begin
  bool begun = false;
};

_Unwind_Reason_Code on_frame(_Unwind_Context* context, void* argument) {
  Walk& walk = *static_cast<Walk*>(argument);
  int interrupted = 0;  // by a signal: then the address is that of the instruction itself
  const std::uintptr_t address = _Unwind_GetIPInfo(context, &interrupted);
  walk.begun = walk.begun || address == walk.from;
  if (!walk.begun) return _URC_NO_REASON;
  RawStack& stack = walk.stack;
  if (address == 0 || stack.count == RawStack::kFramesMax) return _URC_NORMAL_STOP;
  stack.frames[stack.count++] = interrupted != 0 ? address : address - 1;
  return _URC_NO_REASON;
}

// False if `from` is not on the stack.
bool walk_from(RawStack& stack, std::uintptr_t from) {
  Walk walk{stack, from};
  _Unwind_Backtrace(on_frame, &walk);
  return walk.begun;
}

bool is_code(std::uintptr_t address) {
  Module module;
  return module_at(address, module);
}

}  // namespace

void capture_stack_from(RawStack& stack, const void* return_address) {
  stack.count = 0;
  walk_from(stack, reinterpret_cast<std::uintptr_t>(return_address));
}

[[gnu::noinline]] void capture_stack(RawStack& stack, const ucontext_t* at) {
  const auto caller = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  stack.count = 0;
  if (at == nullptr) {
    walk_from(stack, caller);
    return;
  }
  // The unwinder reads where the thread was from these very bytes, which are the handler's own.
  auto& context = const_cast<ucontext_t&>(*at);
  const ucontext_t before = context;
  const std::uintptr_t interrupted = program_counter(context);
  if (!is_code(interrupted)) stack.frames[stack.count++] = interrupted;
  if (is_code(interrupted) || (undo_call(context) && is_code(program_counter(context)))) {
    // If it is not on the stack, `at` is a copy: ThreadSanitizer runs handlers later, with one.
    if (!walk_from(stack, program_counter(context))) walk_from(stack, caller);
  }
  context = before;
}

}  // namespace flow::host
