// SPDX-License-Identifier: Apache-2.0
#include "wire/json_tensor.hpp"

#include <cmath>
#include <cstring>

#include "docarray.pb.h"
#include "gtest/gtest.h"
#include "wire/protobuf.hpp"

namespace flow::wire {
namespace {

struct ReadResult {
  docarray::NdArrayProto array;
  std::string problem;  // empty if it was accepted
};

ReadResult read(std::string_view json) {
  ReadResult result;
  JsonCursor cursor(json);
  std::string bytes;
  read_tensor(cursor, bytes);
  if (!cursor.finish()) {
    result.problem = cursor.problem().message;
  } else {
    EXPECT_TRUE(result.array.ParseFromString(bytes)) << json;
    EXPECT_EQ(result.array.cls_name(), "numpy");
  }
  return result;
}

std::vector<std::uint32_t> shape_of(const docarray::NdArrayProto& array) {
  return {array.dense().shape().begin(), array.dense().shape().end()};
}

template <typename Element>
std::vector<Element> elements_of(const docarray::NdArrayProto& array) {
  const std::string& buffer = array.dense().buffer();
  std::vector<Element> elements(buffer.size() / sizeof(Element));
  std::memcpy(elements.data(), buffer.data(), elements.size() * sizeof(Element));
  return elements;
}

docarray::NdArrayProto array_of(std::string_view dtype, std::vector<std::uint32_t> shape,
                                std::string buffer) {
  docarray::NdArrayProto array;
  array.mutable_dense()->set_dtype(std::string(dtype));
  array.mutable_dense()->set_buffer(std::move(buffer));
  for (const std::uint32_t length : shape) array.mutable_dense()->add_shape(length);
  return array;
}

template <typename Element>
std::string buffer_of(std::initializer_list<Element> elements) {
  std::string buffer(elements.size() * sizeof(Element), '\0');
  std::memcpy(buffer.data(), std::data(elements), buffer.size());
  return buffer;
}

// The JSON, or the error.
std::string written(const docarray::NdArrayProto& array) {
  std::string json;
  const absl::Status status = write_tensor(array.SerializeAsString(), json);
  return status.ok() ? json : std::string(status.message());
}

TEST(TensorOfLists, OfIntegersHasIntegers) {
  const auto array = read("[[1, 2, 3], [-4, 5, 9223372036854775807]]").array;

  EXPECT_EQ(array.dense().dtype(), "<i8");
  EXPECT_EQ(shape_of(array), (std::vector<std::uint32_t>{2, 3}));
  EXPECT_EQ(elements_of<std::int64_t>(array),
            (std::vector<std::int64_t>{1, 2, 3, -4, 5, INT64_MAX}));
}

TEST(TensorOfLists, WithOneFloatHasFloats) {
  const auto array = read("[1, -2, 0.5, 3]").array;

  EXPECT_EQ(array.dense().dtype(), "<f8");
  EXPECT_EQ(elements_of<double>(array), (std::vector<double>{1, -2, 0.5, 3}));
}

TEST(TensorOfLists, WithAnIntegerThatOnlyAFloatHoldsHasFloats) {
  EXPECT_EQ(elements_of<double>(read("[1, 100000000000000000000]").array),
            (std::vector<double>{1, 1e20}));
}

TEST(TensorOfLists, WithNullHasNotANumberThere) {
  const auto array = read("[1, null]").array;

  EXPECT_EQ(array.dense().dtype(), "<f8");
  EXPECT_EQ(elements_of<double>(array)[0], 1);
  EXPECT_TRUE(std::isnan(elements_of<double>(array)[1]));
}

TEST(TensorOfLists, OfBooleansHasBooleans) {
  const auto array = read("[true, false]").array;

  EXPECT_EQ(array.dense().dtype(), "|b1");
  EXPECT_EQ(array.dense().buffer(), std::string("\1\0", 2));
}

TEST(TensorOfLists, MayBeEmptyOrASingleNumber) {
  EXPECT_EQ(shape_of(read("[]").array), std::vector<std::uint32_t>{0});
  EXPECT_EQ(shape_of(read("[[],[]]").array), (std::vector<std::uint32_t>{2, 0}));
  EXPECT_EQ(shape_of(read("5").array), std::vector<std::uint32_t>{});
  EXPECT_EQ(elements_of<std::int64_t>(read("5").array), std::vector<std::int64_t>{5});
}

TEST(TensorOfLists, ThatAreRaggedIsRefused) {
  for (const char* json : {"[[1],[2,3]]", "[[1,2],[3]]", "[1,[2]]", "[[1],2]", "[[],[1]]",
                           "[[1],[]]", "[[],[[]]]", "[[[]],[]]", "[[[1]],[[1],[2]]]"}) {
    EXPECT_EQ(read(json).problem.substr(0, 6), "ragged") << json;
  }
}

TEST(TensorOfLists, OfAnythingElseIsRefused) {
  for (const char* json : {"\"x\"", "{}", "[\"1\"]", "[{}]", "[true, 1]", "[1, true]",
                           "[null, true]", "[1, 1e400]", "[1", "[1,]"}) {
    EXPECT_NE(read(json).problem, "") << json;
  }
}

TEST(TensorOfLists, HasAtMostThirtyTwoDimensions) {
  const std::string deep = std::string(32, '[') + "1" + std::string(32, ']');

  EXPECT_EQ(shape_of(read(deep).array).size(), 32u);
  EXPECT_EQ(read("[" + deep + "]").problem, "more than 32 dimensions");
}

TEST(TensorAsLists, IsNestedLikeItsShape) {
  EXPECT_EQ(written(array_of("<i8", {2, 2}, buffer_of<std::int64_t>({1, 2, 3, INT64_MIN}))),
            "[[1,2],[3,-9223372036854775808]]");
  EXPECT_EQ(written(array_of("<f4", {2}, buffer_of({0.1f, 1.0f}))), "[0.1,1.0]");
  EXPECT_EQ(written(array_of("<f8", {1, 1, 1}, buffer_of({1e-7}))), "[[[1e-07]]]");
  EXPECT_EQ(written(array_of("<i8", {}, buffer_of<std::int64_t>({5}))), "5");
}

TEST(TensorAsLists, KnowsTheTypesOfNumPy) {
  EXPECT_EQ(written(array_of("|u1", {2}, buffer_of<std::uint8_t>({0, 255}))), "[0,255]");
  EXPECT_EQ(written(array_of("|i1", {1}, buffer_of<std::int8_t>({-128}))), "[-128]");
  EXPECT_EQ(written(array_of("|b1", {2}, buffer_of<std::uint8_t>({0, 1}))), "[false,true]");
  EXPECT_EQ(written(array_of("<i2", {1}, buffer_of<std::int16_t>({-2}))), "[-2]");
  EXPECT_EQ(written(array_of("<i4", {1}, buffer_of<std::int32_t>({-2}))), "[-2]");
  EXPECT_EQ(written(array_of("<u2", {1}, buffer_of<std::uint16_t>({65535}))), "[65535]");
  EXPECT_EQ(written(array_of("<u4", {1}, buffer_of<std::uint32_t>({UINT32_MAX}))), "[4294967295]");
  EXPECT_EQ(written(array_of("<u8", {1}, buffer_of<std::uint64_t>({UINT64_MAX}))),
            "[18446744073709551615]");
  // 1, -2, 65504, the smallest, minus zero, infinity, NaN.
  EXPECT_EQ(written(array_of("<f2", {7},
                             buffer_of<std::uint16_t>(
                                 {0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00, 0x7e00}))),
            "[1.0,-2.0,65504.0,5.9604645e-08,-0.0,null,null]");
}

TEST(TensorAsLists, HasNullWhereItIsNoNumber) {
  EXPECT_EQ(written(array_of("<f8", {3}, buffer_of<double>({NAN, INFINITY, -INFINITY}))),
            "[null,null,null]");
}

TEST(TensorAsLists, WithoutElementsIsAnEmptyListHoweverLargeItsShapeSaysItIs) {
  EXPECT_EQ(written(array_of("<f8", {0}, "")), "[]");
  EXPECT_EQ(written(array_of("<f8", {4'000'000'000, 0}, "")), "[]");
  EXPECT_EQ(written({}), "null");
}

TEST(TensorAsLists, WhoseShapeDoesNotFitIsRefused) {
  EXPECT_EQ(written(array_of("<f8", {2}, buffer_of({1.0}))),
            "NdArrayProto: shape [2] of <f8 does not fit a buffer of 8 bytes");
  for (const auto& array :
       {array_of("<f8", {1}, "1234567"), array_of("<f8", {4'000'000'000}, ""),
        array_of("<f8", {1u << 31, 1u << 31, 4}, ""), array_of("<f4", {0}, "1234"),
        array_of("<f4", {},
                 ""
                 "12345678"),
        array_of("<f8", std::vector<std::uint32_t>(33, 1), "12345678")}) {
    EXPECT_EQ(written(array).substr(0, 12), "NdArrayProto") << array.ShortDebugString();
  }
}

TEST(TensorAsLists, OfATypeWithoutNumbersIsRefusedByName) {
  EXPECT_EQ(written(array_of(">f4", {1}, "1234")),
            "NdArrayProto: dtype \">f4\" cannot be written as JSON");
  EXPECT_NE(written(array_of("<c8", {1}, "12345678")).find("<c8"), std::string::npos);
  EXPECT_NE(written(array_of("", {1}, "12345678")).find("dtype"), std::string::npos);
  docarray::NdArrayProto sparse;
  sparse.mutable_sparse();
  EXPECT_NE(written(sparse).find("sparse"), std::string::npos);
}

TEST(TensorAsLists, ReadsBackAsTheSameArray) {
  for (const char* json :
       {"[[1,2],[3,4]]", "[0.1,1e+300,-0.0]", "[[true],[false]]", "[]", "7", "[[[1.5]]]"}) {
    EXPECT_EQ(written(read(json).array), json);
  }
}

}  // namespace
}  // namespace flow::wire
