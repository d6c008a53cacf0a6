// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

// jina.SingleDocumentRequestProto differs from DataRequestProto in the field that holds the data
// alone: so scan_data_request() reads the header of either. These turn one into the other, unread.
namespace flow::wire {

// The payload of a SingleDocumentRequestProto as a DataRequestProto with one document, framed.
absl::StatusOr<std::string> data_request_of(std::string_view single_document_request);

// And back, framed. An answer that failed has no document. An error if there is not exactly one.
absl::StatusOr<std::string> single_document_of(std::string_view data_request);

}  // namespace flow::wire
