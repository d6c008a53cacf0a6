// SPDX-License-Identifier: Apache-2.0
#include "host/stack/demangle.hpp"

#include <string>

#include "core/limits.hpp"
#include "gtest/gtest.h"

namespace flow::host {
namespace {

TEST(Demangle, NamesAFunctionWithItsArguments) {
  EXPECT_EQ(demangle("_ZN3bad7processEi"), "bad::process(int)");
}

TEST(Demangle, LeavesWhatIsNotMangled) {
  EXPECT_EQ(demangle("main"), "main");
  EXPECT_EQ(demangle(""), "");
  EXPECT_EQ(demangle("_Znonsense"), "_Znonsense");
}

TEST(Demangle, CutsANameThatNobodyReads) {
  const std::string name = demangle(std::string(100'000, 'x'));
  EXPECT_LE(name.size(), core::limits::kFunctionNameMax + 3);
  EXPECT_TRUE(name.ends_with("x..."));
}

}  // namespace
}  // namespace flow::host
