// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "jina.pb.h"
#include "wire/grpc.hpp"
#include "wire/json_reader.hpp"
#include "wire/json_writer.hpp"

// What the tests of JSON share: libprotobuf is the judge of every message that was made.
namespace flow::wire::test {

constexpr std::string_view kRequestId = "0123456789abcdef0123456789abcdef";
// The first id that a test's documents are given; the next ends in ...02.
constexpr std::string_view kFirstId = "00000000000000000000000000000001";

inline JsonRequestOptions options() {
  JsonRequestOptions options;
  options.request_id = kRequestId;
  options.new_document_id = [next = 0]() mutable {
    std::string id = std::to_string(++next);
    return std::string(32 - id.size(), '0') + id;
  };
  return options;
}

inline jina::DataRequestProto parsed(const std::string& framed) {
  jina::DataRequestProto message;
  const std::string_view bytes = payload(framed);
  EXPECT_EQ(framed, frame(bytes)) << "a message must be framed";
  EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}

// Of a text that must be accepted.
inline jina::DataRequestProto request_of(std::string_view json,
                                         const JsonRequestOptions& how = options()) {
  std::string framed;
  const auto problem = read_data_request(json, how, framed);
  EXPECT_FALSE(problem) << json << ": " << describe(*problem);
  return problem ? jina::DataRequestProto() : parsed(framed);
}

inline docarray::DocumentProto document_of(std::string_view json) {
  const auto request = request_of(std::string(R"({"data":[)").append(json).append("]}"));
  EXPECT_EQ(request.data().docs().docs_size(), 1);
  return request.data().docs().docs_size() == 1 ? request.data().docs().docs(0)
                                                : docarray::DocumentProto();
}

// Of a text that must be refused.
inline JsonProblem problem_of(std::string_view json, const JsonRequestOptions& how = options()) {
  std::string framed;
  const auto problem = read_data_request(json, how, framed);
  EXPECT_TRUE(problem) << json << " was accepted";
  return problem.value_or(JsonProblem{});
}

template <typename Message>
std::string bytes_of(const Message& message) {
  return message.SerializeAsString();
}

inline std::string response_json(const jina::DataRequestProto& response,
                                 JsonStyle style = JsonStyle::Http) {
  std::string json;
  const absl::Status status = write_data_response(bytes_of(response), style, json);
  EXPECT_TRUE(status.ok()) << status;
  return json;
}

inline std::string document_json(const docarray::DocumentProto& document) {
  std::string json;
  const absl::Status status = write_document(bytes_of(document), json);
  EXPECT_TRUE(status.ok()) << status;
  return json;
}

}  // namespace flow::wire::test
