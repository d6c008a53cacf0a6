// SPDX-License-Identifier: Apache-2.0
// JSON to a serialised request and back, beside libprotobuf doing the like. bytes_per_second counts
// the bytes of the JSON, in both directions.
#include <benchmark/benchmark.h>

#include <charconv>
#include <cstdlib>
#include <random>
#include <string>

#include "google/protobuf/util/json_util.h"
#include "jina.pb.h"
#include "wire/grpc.hpp"
#include "wire/json_reader.hpp"
#include "wire/json_writer.hpp"

namespace {

using namespace flow::wire;

constexpr int kDocuments = 100;
constexpr int kDimensions = 256;
constexpr char kText[] = "a paragraph of about the length that people send to be encoded";

// What an HTTP client posts: a text and an embedding of float32 each.
std::string request_json() {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::string json = R"({"data":[)";
  for (int i = 0; i < kDocuments; ++i) {
    json += i == 0 ? "" : ",";
    json += R"({"id":"d)" + std::to_string(i) + R"(","text":")" + kText + R"(","embedding":[)";
    for (int k = 0; k < kDimensions; ++k) {
      char digits[32];
      const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), normal(random));
      json.append(k == 0 ? "" : ",").append(digits, end);
    }
    json += "]}";
  }
  return json + R"(],"execEndpoint":"/encode"})";
}

JsonRequestOptions options() {
  JsonRequestOptions options;
  options.request_id = "0123456789abcdef0123456789abcdef";
  options.new_document_id = [] { return std::string(32, '0'); };
  return options;
}

std::string request_payload() {
  std::string framed;
  if (read_data_request(request_json(), options(), framed)) std::abort();
  return std::string(payload(framed));
}

void count(benchmark::State& state, std::size_t json_bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(json_bytes) * state.iterations());
}

void read(benchmark::State& state, const std::string& json) {
  const JsonRequestOptions how = options();
  std::string framed;
  for (auto _ : state) {
    if (read_data_request(json, how, framed)) std::abort();
    benchmark::DoNotOptimize(framed.data());
  }
  count(state, json.size());
}

void read_ours(benchmark::State& state) { read(state, request_json()); }
BENCHMARK(read_ours);

// The same values in protobuf's own JSON, where a tensor is base64: `location` takes the floats.
void read_libprotobuf(benchmark::State& state) {
  std::string json = request_json();
  for (std::size_t at = 0; (at = json.find("embedding", at)) != std::string::npos;) {
    json.replace(at, 9, "location");
  }
  json.replace(json.find(R"("data":[)"), 8, R"("data":{"docs":{"docs":[)");
  const std::size_t end = json.rfind(R"(],"execEndpoint":"/encode"})");
  json.replace(end, std::string::npos, R"(]}},"header":{"execEndpoint":"/encode"}})");
  for (auto _ : state) {
    jina::DataRequestProto message;
    if (!google::protobuf::util::JsonStringToMessage(json, &message).ok()) std::abort();
    std::string bytes = message.SerializeAsString();
    benchmark::DoNotOptimize(bytes.data());
  }
  count(state, json.size());
}
BENCHMARK(read_libprotobuf);

void write_ours(benchmark::State& state) {
  const std::string bytes = request_payload();
  std::string json;
  for (auto _ : state) {
    json.clear();
    if (!write_data_response(bytes, JsonStyle::Http, json).ok()) std::abort();
    benchmark::DoNotOptimize(json.data());
  }
  count(state, json.size());
}
BENCHMARK(write_ours);

void write_libprotobuf(benchmark::State& state) {
  jina::DataRequestProto message;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (int i = 0; i < kDocuments; ++i) {
    auto* document = message.mutable_data()->mutable_docs()->add_docs();
    document->set_id("d" + std::to_string(i));
    document->set_text(kText);
    for (int k = 0; k < kDimensions; ++k) document->add_location(normal(random));
  }
  const std::string bytes = message.SerializeAsString();
  std::string json;
  for (auto _ : state) {
    json.clear();
    jina::DataRequestProto parsed;
    if (!parsed.ParseFromString(bytes)) std::abort();
    if (!google::protobuf::util::MessageToJsonString(parsed, &json).ok()) std::abort();
    benchmark::DoNotOptimize(json.data());
  }
  count(state, json.size());
}
BENCHMARK(write_libprotobuf);

// The text alone, without numbers.
void read_texts(benchmark::State& state) {
  std::string json = R"({"data":[)";
  for (int i = 0; i < kDocuments; ++i) {
    json += i == 0 ? "" : ",";
    json += R"({"id":"d)" + std::to_string(i) + R"(","text":")";
    for (int k = 0; k < 40; ++k) json += kText;
    json += R"("})";
  }
  read(state, json + "]}");
}
BENCHMARK(read_texts);

}  // namespace

BENCHMARK_MAIN();
