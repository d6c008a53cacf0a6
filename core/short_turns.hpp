// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace flow::core {

// Asks the kernel to give the calling thread short turns on a processor, which it then gets sooner:
// for threads that have little to do and are in a hurry. Threads that it starts are not affected.
// A kernel that does not know of this (before Linux 6.12) or does not grant it changes nothing.
void prefer_short_turns();

}  // namespace flow::core
