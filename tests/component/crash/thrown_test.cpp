// SPDX-License-Identifier: Apache-2.0
#include "host/crash/thrown.hpp"

#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow::host {

[[gnu::noinline]] void throws_an_error(const char* what) { throw std::runtime_error(what); }
[[gnu::noinline]] void throws_a_number() { throw 7; }

namespace {

using testing::MatchesRegex;

std::string stack_text(const Thrown& thrown) {
  std::string text;
  for (const auto& line : symbolise(thrown.stack)) text += line + '\n';
  return text;
}

auto StackBeginsWith(const std::string& function) {
  std::string pattern;
  for (const char character : function) {
    if (std::string_view("()*+").find(character) != std::string_view::npos) pattern += '\\';
    pattern += character;
  }
  return MatchesRegex("#0 0x[0-9a-f]+ " + pattern + "(.|\n)*");
}

class ThrownTest : public testing::Test {
 protected:
  void SetUp() override { prepare_stacks(); }
};

TEST_F(ThrownTest, KnowsTypeMessageAndPlaceWhereItIsCaught) {
  EXPECT_EQ(thrown_in_hand(), nullptr);
  try {
    throws_an_error("no");
  } catch (const std::exception&) {
    const Thrown* thrown = thrown_in_hand();
    ASSERT_NE(thrown, nullptr);
    EXPECT_EQ(*thrown->type, typeid(std::runtime_error));
    EXPECT_STREQ(thrown->message.data(), "no");
    EXPECT_THAT(stack_text(*thrown),
                StackBeginsWith("flow::host::throws_an_error(char const*)+0x"));
  }
  EXPECT_EQ(thrown_in_hand(), nullptr) << "it is over";
  EXPECT_EQ(*last_thrown().type, typeid(std::runtime_error));
}

TEST_F(ThrownTest, KnowsWhatIsNoException) {
  try {
    throws_a_number();
  } catch (...) {
    ASSERT_NE(thrown_in_hand(), nullptr);
    EXPECT_STREQ(thrown_in_hand()->message.data(), "");
    EXPECT_THAT(stack_text(*thrown_in_hand()), StackBeginsWith("flow::host::throws_a_number()+0x"));
  }
}

TEST_F(ThrownTest, CutsALongMessage) {
  try {
    throws_an_error(std::string(100'000, 'x').c_str());
  } catch (const std::exception&) {
    EXPECT_EQ(std::string(thrown_in_hand()->message.data()),
              std::string(thrown_in_hand()->message.size() - 1, 'x'));
  }
}

TEST_F(ThrownTest, OfAnotherThreadIsNotOurs) {
  const auto* before = last_thrown().type;
  std::thread([] {
    EXPECT_EQ(last_thrown().type, nullptr);
    try {
      throws_a_number();
    } catch (int) {
    }
  }).join();
  EXPECT_EQ(last_thrown().type, before);
}

TEST_F(ThrownTest, OfTheSameTypeThatAnotherThreadThrewIsNotTakenForOurs) {
  std::exception_ptr theirs;
  std::thread([&] {
    try {
      throws_an_error("theirs");
    } catch (...) {
      theirs = std::current_exception();
    }
  }).join();
  try {
    throws_an_error("ours");
  } catch (const std::exception&) {
    EXPECT_NE(thrown_in_hand(), nullptr);
  }
  try {
    std::rethrow_exception(theirs);
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "theirs");
    EXPECT_EQ(thrown_in_hand(), nullptr);
  }
}

TEST_F(ThrownTest, OfTheSameTypeThatACleanupCaughtIsNotTakenForTheOneInHand) {
  try {
    throws_an_error("outer");
  } catch (const std::exception&) {
    try {
      throws_an_error("inner");
    } catch (const std::exception&) {
      ASSERT_NE(thrown_in_hand(), nullptr);
      EXPECT_STREQ(thrown_in_hand()->message.data(), "inner");
    }
    EXPECT_EQ(thrown_in_hand(), nullptr);
  }
}

TEST_F(ThrownTest, OfTheSameTypeThatWasOnlyMadeHasNoStackEvenWhereAnotherWasBefore) {
  try {
    throws_an_error("before");
  } catch (const std::exception&) {
  }
  const void* const before = last_thrown().object;
  try {
    std::rethrow_exception(std::make_exception_ptr(std::runtime_error("made")));
  } catch (const std::exception& error) {
#if defined(FLOW_SANITIZED)  // it keeps what is freed aside for a while
    EXPECT_NE(static_cast<const void*>(&error), before);
#else
    EXPECT_EQ(static_cast<const void*>(&error), before) << "or this tests nothing";
#endif
    EXPECT_EQ(thrown_in_hand(), nullptr);
  }
}

TEST_F(ThrownTest, KeepsItsPlaceIfItIsThrownOn) {
  std::exception_ptr kept;
  try {
    try {
      throws_an_error("on");
    } catch (const std::exception&) {
      kept = std::current_exception();
      throw;
    }
  } catch (const std::exception&) {
    EXPECT_NE(thrown_in_hand(), nullptr);
  }
  try {
    std::rethrow_exception(kept);
  } catch (const std::exception&) {
    ASSERT_NE(thrown_in_hand(), nullptr);
    EXPECT_THAT(stack_text(*thrown_in_hand()),
                StackBeginsWith("flow::host::throws_an_error(char const*)+0x"));
  }
}

TEST_F(ThrownTest, OfTheStandardLibraryIsSeenToo) {
  try {
    (void)std::string().at(1);
  } catch (const std::out_of_range&) {
    ASSERT_NE(thrown_in_hand(), nullptr);
    EXPECT_EQ(*thrown_in_hand()->type, typeid(std::out_of_range));
  }
}

}  // namespace
}  // namespace flow::host
