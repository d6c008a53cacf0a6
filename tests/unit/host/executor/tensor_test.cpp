// SPDX-License-Identifier: Apache-2.0
//
// NumPy's types and DLPack's, both ways; and what clients get wrong about tensors.
#include "host/executor/tensor.hpp"

#include <gmock/gmock.h>

#include <cstring>

namespace flow::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

docarray::NdArrayProto array_of(std::string type, std::vector<std::uint32_t> shape,
                                std::size_t bytes) {
  docarray::NdArrayProto array;
  auto& dense = *array.mutable_dense();
  dense.set_dtype(std::move(type));
  dense.mutable_shape()->Add(shape.begin(), shape.end());
  dense.set_buffer(std::string(bytes, 'x'));
  return array;
}

TEST(TensorType, TranslatesBothWays) {
  for (const auto* name : {"|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f2",
                           "<f4", "<f8", "<c8", "<c16", "bfloat16"}) {
    const auto type = parse_dtype(name);
    ASSERT_TRUE(type.has_value()) << name;
    EXPECT_EQ(format_dtype(*type), name);
  }
  EXPECT_EQ(element_size(*parse_dtype("<c16")), 16U);
}

TEST(TensorType, KnowsTheByteOrdersThatMeanTheSame) {
  for (const auto* name : {"f4", "=f4", "|f4", ">i1", "i1", "<b1"}) {
    EXPECT_TRUE(parse_dtype(name).has_value()) << name;
  }
  for (const auto* name : {">f4", "<U5", "|O", "<M8[ns]", "", "<", "f3", ">>f4"}) {
    EXPECT_FALSE(parse_dtype(name).has_value()) << name;
  }
  EXPECT_FALSE(format_dtype({FLOW_INT, 4, 1}).has_value());
  EXPECT_FALSE(format_dtype({FLOW_FLOAT, 32, 4}).has_value());
}

TEST(Tensor, IsSeenWhereItLies) {
  const auto array = array_of("<f4", {2, 3}, 24);
  AlignedCopies copies;

  const auto view = view_tensor(array, copies);

  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->data, array.dense().buffer().data());
  EXPECT_EQ(view->size, 24U);
  EXPECT_THAT(std::span(view->shape, view->ndim), ElementsAre(2U, 3U));
  EXPECT_TRUE(copies.empty());
}

TEST(Tensor, MayHaveNoDimensionOrNoElements) {
  AlignedCopies copies;
  EXPECT_EQ(view_tensor(array_of("<f8", {}, 8), copies)->size, 8U);
  EXPECT_EQ(view_tensor(array_of("<f8", {0, 4}, 0), copies)->size, 0U);
}

TEST(Tensor, IsAbsentIfItIsSparseOrOfAForeignType) {
  AlignedCopies copies;
  docarray::NdArrayProto sparse;
  sparse.mutable_sparse()->add_shape(3);
  for (const auto& array : {sparse, docarray::NdArrayProto(), array_of("<U5", {2}, 40)}) {
    const auto view = view_tensor(array, copies);
    ASSERT_TRUE(view.ok());
    EXPECT_EQ(view->ndim, 0U);
    EXPECT_EQ(view->size, 0U);
  }
}

TEST(Tensor, IsRefusedIfShapeAndTypeDoNotMakeUpItsBytes) {
  AlignedCopies copies;
  EXPECT_THAT(std::string(view_tensor(array_of("<f4", {2, 3}, 23), copies).status().message()),
              HasSubstr("a tensor of shape [2, 3] and type \"<f4\" has 23 bytes, not 24"));
  EXPECT_THAT(
      std::string(view_tensor(array_of("<f8", {UINT32_MAX, UINT32_MAX, UINT32_MAX}, 8), copies)
                      .status()
                      .message()),
      HasSubstr("not more than there can be"));
  EXPECT_FALSE(view_tensor(array_of("<f4", {}, 0), copies).ok());
}

TEST(Tensor, IsCopiedIfItIsMisaligned) {
  alignas(16) std::array<char, 32> memory{};
  std::memcpy(memory.data() + 1, "abcdefgh", 8);
  AlignedCopies copies;

  const void* same = aligned({memory.data(), 8}, 8, copies);
  const void* copy = aligned({memory.data() + 1, 8}, 8, copies);

  EXPECT_EQ(same, memory.data());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(copy) % 16, 0U);
  EXPECT_EQ(std::memcmp(copy, "abcdefgh", 8), 0);
  EXPECT_EQ(copies.size(), 1U);
}

}  // namespace
}  // namespace flow::host
