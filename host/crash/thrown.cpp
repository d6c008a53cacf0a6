// SPDX-License-Identifier: Apache-2.0
#include "host/crash/thrown.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>

namespace flow::host {
namespace {

constinit thread_local Thrown thrown;

// What() of whatever is derived from std::exception; the C++ library itself asks types so when it
// looks for a handler.
std::string_view message_of(void* object, const std::type_info& type) {
  void* exception = object;
  if (!typeid(std::exception).__do_catch(&type, &exception, 1)) return {};
  const char* what = static_cast<const std::exception*>(exception)->what();
  return what == nullptr ? std::string_view() : std::string_view(what);
}

void record(void* object, const std::type_info* type, const void* thrower) {
  thrown.type = type;
  thrown.object = object;
  const std::string_view message = type == nullptr ? std::string_view() : message_of(object, *type);
  const std::size_t size = std::min(message.size(), thrown.message.size() - 1);
  std::copy_n(message.begin(), size, thrown.message.begin());
  thrown.message[size] = '\0';
  capture_stack_from(thrown.stack, thrower);
}

// Another exception gets the memory of the one recorded, and may never be thrown here:
// std::make_exception_ptr() only makes one.
void forget(const void* object) {
  if (object == thrown.object) thrown.object = nullptr;
}

// The exception that is being handled here, whichever thread threw it; nullptr: there is none.
// The C++ library's std::exception_ptr is a pointer to it that counts, and no more.
const void* object_in_hand() {
  const std::exception_ptr current = std::current_exception();
  const void* object = nullptr;
  static_assert(sizeof object == sizeof current);
  std::memcpy(&object, &current, sizeof object);
  return object;
}

}  // namespace

const Thrown& last_thrown() { return thrown; }

const Thrown* thrown_in_hand() {
  const void* object = object_in_hand();
  return object != nullptr && object == thrown.object ? &thrown : nullptr;
}

}  // namespace flow::host

namespace __cxxabiv1 {

// Both as the C++ ABI declares them. Exported from the program by these names alone
// (host/CMakeLists.txt).

extern "C" [[noreturn, gnu::visibility("default")]] void __cxa_throw(void* object,
                                                                     std::type_info* type,
                                                                     void (*destructor)(void*)) {
  using Throw = void (*)(void*, std::type_info*, void (*)(void*));
  static const auto next = reinterpret_cast<Throw>(::dlsym(RTLD_NEXT, "__cxa_throw"));
  flow::host::record(object, type, __builtin_return_address(0));
  next(object, type, destructor);
  __builtin_unreachable();
}

extern "C" [[gnu::visibility("default")]] void* __cxa_allocate_exception(
    std::size_t size) noexcept {
  using Allocate = void* (*)(std::size_t);
  static const auto next =
      reinterpret_cast<Allocate>(::dlsym(RTLD_NEXT, "__cxa_allocate_exception"));
  void* const object = next(size);
  flow::host::forget(object);
  return object;
}

}  // namespace __cxxabiv1
