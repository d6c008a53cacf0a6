// SPDX-License-Identifier: Apache-2.0
//
// The example of docs/writing-a-plugin.md: plugins/testing/upper.cpp is linked into this test.
#include <gtest/gtest.h>

#include <flow/testing.hpp>

TEST(Upper, MakesLettersUpperCase) {
  flow::testing::FakeHost host(flow_plugin_v1);
  flow::testing::FakeCall call({.endpoint = "/upper", .docs = {{.text = "hello"}}});

  EXPECT_EQ(host.process(call), FLOW_OK) << call.error();
  EXPECT_EQ(call.docs.front().text, "HELLO");
}
