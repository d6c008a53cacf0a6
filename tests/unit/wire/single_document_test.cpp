// SPDX-License-Identifier: Apache-2.0
// One form of request as the other, against libprotobuf's idea of both.
#include "wire/single_document.hpp"

#include "gtest/gtest.h"
#include "jina.pb.h"
#include "wire/grpc.hpp"

namespace flow::wire {
namespace {

template <typename Message>
Message parsed(std::string_view framed) {
  Message message;
  const std::string_view bytes = payload(framed);
  EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}

jina::SingleDocumentRequestProto single(const std::string& text) {
  jina::SingleDocumentRequestProto request;
  request.mutable_header()->set_request_id("the id");
  request.mutable_header()->set_exec_endpoint("/stream");
  (*request.mutable_parameters()->mutable_fields())["k"].set_number_value(1);
  request.mutable_document()->set_text(text);
  return request;
}

TEST(SingleDocument, BecomesADataRequestAndBackWithEverythingThatItHas) {
  for (const std::size_t size : {0u, 5u, 120u, 130u, 20'000u}) {
    const auto request = single(std::string(size, 'x'));
    const auto data = data_request_of(request.SerializeAsString());
    ASSERT_TRUE(data.ok());
    const auto whole = parsed<jina::DataRequestProto>(*data);
    EXPECT_EQ(whole.header().request_id(), "the id");
    ASSERT_EQ(whole.data().docs().docs_size(), 1);
    EXPECT_EQ(whole.data().docs().docs(0).text().size(), size);

    const auto back = single_document_of(payload(*data));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(parsed<jina::SingleDocumentRequestProto>(*back).SerializeAsString(),
              request.SerializeAsString());
  }
}

TEST(SingleDocument, ThatIsAbsentIsEmpty) {
  const auto data = data_request_of("");
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(parsed<jina::DataRequestProto>(*data).data().docs().docs_size(), 1);
}

TEST(SingleDocument, AnAnswerWithNoneOrSeveralIsRefusedWithTheirNumber) {
  for (const int count : {0, 2, 3}) {
    jina::DataRequestProto data;
    data.mutable_header()->set_request_id("id");
    for (int i = 0; i < count; ++i) data.mutable_data()->mutable_docs()->add_docs();
    const auto result = single_document_of(data.SerializeAsString());
    EXPECT_EQ(result.status().code(), absl::StatusCode::kUnimplemented);
    EXPECT_EQ(result.status().message().substr(0, 1), std::to_string(count));
  }
}

TEST(SingleDocument, AnAnswerThatFailedNeedsNone) {
  jina::DataRequestProto data;
  data.mutable_header()->mutable_status()->set_code(jina::StatusProto::ERROR);
  data.mutable_header()->mutable_status()->set_description("no");
  const auto result = single_document_of(data.SerializeAsString());
  ASSERT_TRUE(result.ok());
  const auto answer = parsed<jina::SingleDocumentRequestProto>(*result);
  EXPECT_EQ(answer.header().status().description(), "no");
  EXPECT_FALSE(answer.has_document());
}

TEST(SingleDocument, WhatIsNoMessageIsRefused) {
  using namespace std::string_view_literals;
  for (const std::string_view bad : {"\xff\xff"sv, "\x22\x05x"sv, "\x20\x01"sv, "\x22\0\x22\0"sv}) {
    EXPECT_FALSE(data_request_of(bad).ok());
    EXPECT_FALSE(single_document_of(bad).ok());
  }
  for (const std::string_view bad : {"\x22\x01\xff"sv, "\x22\x03\x0a\x01\xff"sv}) {
    EXPECT_FALSE(single_document_of(bad).ok());
  }
}

}  // namespace
}  // namespace flow::wire
