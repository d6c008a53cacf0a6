// SPDX-License-Identifier: Apache-2.0
//
// Existing gateways look at list_services before they use an executor, and tools describe what they
// find: both versions must answer both questions.
#include "proto/reflection_answer.hpp"

#include <gmock/gmock.h>

#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "jina.pb.h"

namespace {

using flow::proto::reflection_answer;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

struct V1 {
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
};
struct V1Alpha {
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
};

template <typename Version>
class ReflectionAnswer : public testing::Test {
 protected:
  using Request = typename Version::Request;
  using Response = typename Version::Response;

  static Response ask(const Request& request) {
    jina::DataRequestProto::descriptor();  // links jina.proto in
    return reflection_answer<Response>(request, *google::protobuf::DescriptorPool::generated_pool(),
                                       {"jina.JinaRPC", "b.B"});
  }
  static std::vector<std::string> file_names(const Response& response) {
    std::vector<std::string> names;
    for (const auto& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      EXPECT_TRUE(file.ParseFromString(bytes));
      names.push_back(file.name());
    }
    return names;
  }
};

using Versions = testing::Types<V1, V1Alpha>;
TYPED_TEST_SUITE(ReflectionAnswer, Versions);

TYPED_TEST(ReflectionAnswer, ListsTheServicesInTheGivenOrder) {
  typename TypeParam::Request request;
  request.set_host("h");
  request.set_list_services("*");

  const auto response = this->ask(request);

  EXPECT_EQ(response.valid_host(), "h");
  EXPECT_EQ(response.original_request().list_services(), "*");
  ASSERT_EQ(response.list_services_response().service_size(), 2);
  EXPECT_EQ(response.list_services_response().service(0).name(), "jina.JinaRPC");
  EXPECT_EQ(response.list_services_response().service(1).name(), "b.B");
}

TYPED_TEST(ReflectionAnswer, GivesAFileWithEverythingItImportsOnce) {
  typename TypeParam::Request request;
  request.set_file_by_filename("jina.proto");

  const auto names = this->file_names(this->ask(request));

  EXPECT_THAT(names, ElementsAre("jina.proto", "docarray.proto", "google/protobuf/struct.proto",
                                 "google/protobuf/empty.proto", "google/protobuf/timestamp.proto"));
}

TYPED_TEST(ReflectionAnswer, FindsTheFileOfAServiceAMethodAndAMessage) {
  for (const auto* symbol :
       {"jina.JinaRPC", "jina.JinaRPC.Call", "jina.DataRequestProto.DataContentProto"}) {
    typename TypeParam::Request request;
    request.set_file_containing_symbol(symbol);
    EXPECT_THAT(this->file_names(this->ask(request)), Contains("jina.proto")) << symbol;
  }
}

TYPED_TEST(ReflectionAnswer, SaysWhatItDoesNotKnow) {
  typename TypeParam::Request file, symbol, extension, numbers;
  file.set_file_by_filename("absent.proto");
  symbol.set_file_containing_symbol("jina.Absent");
  extension.mutable_file_containing_extension()->set_containing_type("jina.RouteProto");
  extension.mutable_file_containing_extension()->set_extension_number(7);
  numbers.set_all_extension_numbers_of_type("jina.Absent");

  for (const auto& [request, words] : {std::pair{file, "absent.proto"},
                                       {symbol, "jina.Absent"},
                                       {extension, "extension 7"},
                                       {numbers, "jina.Absent"}}) {
    const auto response = this->ask(request);
    EXPECT_EQ(response.error_response().error_code(), 5);
    EXPECT_THAT(response.error_response().error_message(), HasSubstr(words));
  }
}

TYPED_TEST(ReflectionAnswer, ListsTheExtensionsOfAMessage) {
  typename TypeParam::Request request;
  request.set_all_extension_numbers_of_type("jina.RouteProto");

  const auto response = this->ask(request);

  EXPECT_EQ(response.all_extension_numbers_response().base_type_name(), "jina.RouteProto");
  EXPECT_EQ(response.all_extension_numbers_response().extension_number_size(), 0);
}

TYPED_TEST(ReflectionAnswer, RefusesARequestThatAsksForNothing) {
  EXPECT_EQ(this->ask({}).error_response().error_code(), 3);
}

}  // namespace
