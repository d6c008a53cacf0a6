// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"

// What gRPC server reflection answers, as a function of a descriptor pool. The executors serve it
// with libgrpc and the gateway without; v1 and v1alpha differ in nothing but their messages'
// package.
namespace flow::proto {

namespace reflection {

inline constexpr int kInvalidArgument = 3;  // gRPC status codes, as error_response carries them
inline constexpr int kNotFound = 5;

template <typename Response>
void refuse(int code, const std::string& text, Response& response) {
  auto& error = *response.mutable_error_response();
  error.set_error_code(code);
  error.set_error_message(text);
}

// A file, then everything it imports, each once: clients build their pool from one answer.
template <typename FileDescriptorResponse>
void append_with_imports(const google::protobuf::FileDescriptor& file, std::set<std::string>& seen,
                         FileDescriptorResponse& files) {
  if (!seen.insert(file.name()).second) return;
  google::protobuf::FileDescriptorProto description;
  file.CopyTo(&description);
  files.add_file_descriptor_proto(description.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) {
    append_with_imports(*file.dependency(i), seen, files);
  }
}

template <typename Response>
void answer_file(const google::protobuf::FileDescriptor* file, const std::string& what,
                 Response& response) {
  if (file == nullptr) return refuse(kNotFound, what + " is not known here", response);
  std::set<std::string> seen;
  append_with_imports(*file, seen, *response.mutable_file_descriptor_response());
}

template <typename Extension, typename Response>
void answer_extension(const google::protobuf::DescriptorPool& pool, const Extension& asked,
                      Response& response) {
  const auto* type = pool.FindMessageTypeByName(asked.containing_type());
  const auto* extension =
      type == nullptr ? nullptr : pool.FindExtensionByNumber(type, asked.extension_number());
  answer_file(extension == nullptr ? nullptr : extension->file(),
              "extension " + std::to_string(asked.extension_number()) + " of \"" +
                  asked.containing_type() + "\"",
              response);
}

template <typename Response>
void answer_extension_numbers(const google::protobuf::DescriptorPool& pool,
                              const std::string& type_name, Response& response) {
  const auto* type = pool.FindMessageTypeByName(type_name);
  if (type == nullptr) {
    return refuse(kNotFound, "message type \"" + type_name + "\" is not known here", response);
  }
  std::vector<const google::protobuf::FieldDescriptor*> extensions;
  pool.FindAllExtensions(type, &extensions);
  auto& numbers = *response.mutable_all_extension_numbers_response();
  numbers.set_base_type_name(type_name);
  for (const auto* extension : extensions) numbers.add_extension_number(extension->number());
  std::sort(numbers.mutable_extension_number()->begin(), numbers.mutable_extension_number()->end());
}

}  // namespace reflection

// The answer to one message of a ServerReflectionInfo stream. `services` are the full names of what
// the server offers, in the order in which to list them.
template <typename Response, typename Request>
Response reflection_answer(const Request& request, const google::protobuf::DescriptorPool& pool,
                           const std::vector<std::string>& services) {
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kListServices:
      response.mutable_list_services_response();
      for (const auto& service : services) {
        response.mutable_list_services_response()->add_service()->set_name(service);
      }
      break;
    case Request::kFileByFilename:
      reflection::answer_file(pool.FindFileByName(request.file_by_filename()),
                              "file \"" + request.file_by_filename() + "\"", response);
      break;
    case Request::kFileContainingSymbol:
      reflection::answer_file(pool.FindFileContainingSymbol(request.file_containing_symbol()),
                              "symbol \"" + request.file_containing_symbol() + "\"", response);
      break;
    case Request::kFileContainingExtension:
      reflection::answer_extension(pool, request.file_containing_extension(), response);
      break;
    case Request::kAllExtensionNumbersOfType:
      reflection::answer_extension_numbers(pool, request.all_extension_numbers_of_type(), response);
      break;
    default:
      reflection::refuse(reflection::kInvalidArgument, "the request asks for nothing", response);
      break;
  }
  return response;
}

}  // namespace flow::proto
