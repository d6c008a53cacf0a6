// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "flow/v1/plugin_info.pb.h"
#include "google/protobuf/struct.pb.h"

namespace flow::host {

// What a client may send to each endpoint and gets back, as JSON schemas, in the form in which
// Jina's executors tell it:
//
//   {"/search": {"input": {"name": "search_input", "model": <schema of a document>},
//                "output": {"name": "search_output", "model": <schema of a document>},
//                "is_generator": false, "is_singleton_doc": false,
//                "parameters": {"name": "search_parameters", "model": <schema or null>},
//                "summary": "...", "reads": ["text"], "writes": ["matches"]}}
//
// The last three are ours. A document's schema has `id` and the fields that the endpoint reads
// (input) or reads and writes (output); all fields, if the metadata names none. What streams is a
// generator, and takes a single document.
google::protobuf::Struct endpoint_schemas(const flow::v1::PluginInfo& plugin);

}  // namespace flow::host
