// SPDX-License-Identifier: Apache-2.0
#include "flow/nd_array.hpp"

#include <gmock/gmock.h>

#include "core/status.hpp"

namespace flow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(NdArray, OfFloatsHasTheirTypeAndShape) {
  const NdArray array{1.0f, 2.5f};
  EXPECT_EQ(array.dtype, "<f4");
  EXPECT_THAT(array.shape, ElementsAre(2));
  EXPECT_THAT(*array.view<float>(), ElementsAre(1.0f, 2.5f));
}

TEST(NdArray, NamesTypesAsNumPyDoes) {
  EXPECT_EQ(dtype_of<double>(), "<f8");
  EXPECT_EQ(dtype_of<std::uint8_t>(), "|u1");
  EXPECT_EQ(dtype_of<std::int64_t>(), "<i8");
  EXPECT_EQ(dtype_of<bool>(), "|b1");
}

TEST(NdArray, ConvertsAnyNumbersToFloats) {
  EXPECT_THAT(*NdArray(std::vector<std::int16_t>{-1, 300}).to_floats(), ElementsAre(-1, 300));
  EXPECT_THAT(*NdArray(std::vector<double>{0.5}).to_floats(), ElementsAre(0.5f));
  EXPECT_THAT(*NdArray(std::vector<std::uint8_t>{255, 0}).to_doubles(), ElementsAre(255, 0));
}

NdArray raw(std::string dtype, std::vector<std::uint32_t> shape, std::string data) {
  NdArray array;
  array.dtype = std::move(dtype);
  array.shape = std::move(shape);
  array.data = std::move(data);
  return array;
}

TEST(NdArray, ConvertsBigEndianNumbers) {
  EXPECT_THAT(*raw(">i2", {2}, std::string("\x00\x01\x01\x00", 4)).to_floats(),
              ElementsAre(1, 256));
}

TEST(NdArray, ConvertsHalfPrecision) {
  // 1, -2, the smallest subnormal, infinity
  EXPECT_THAT(*raw("<f2", {4}, std::string("\x00\x3c\x00\xc0\x01\x00\x00\x7c", 8)).to_doubles(),
              ElementsAre(1, -2, 5.9604644775390625e-08, std::numeric_limits<double>::infinity()));
}

TEST(NdArray, OfNoDimensionIsOneNumber) {
  EXPECT_THAT(*raw("<f4", {}, std::string("\0\0\x80\x3f", 4)).to_floats(), ElementsAre(1));
}

TEST(NdArray, RefusesDataThatIsNotWhatTheShapeSays) {
  for (const auto& array :
       {raw("<f4", {2}, "1234"), raw("<f4", {1}, "123"), raw("<f4", {0}, "1234"),
        raw("<f4", {0xffffffff, 0xffffffff, 0xffffffff}, "1234"),
        raw("<f8", {65536, 65536, 65536, 65536}, "")}) {
    const auto floats = array.to_floats();
    ASSERT_FALSE(floats.ok());
    EXPECT_THAT(std::string(core::message(floats.status())), HasSubstr("that the shape says"));
  }
}

TEST(NdArray, RefusesElementsThatAreNoNumbers) {
  for (const char* dtype : {"<U5", "object", "", "<", "<c8", "f16"}) {
    EXPECT_FALSE(raw(dtype, {1}, "12345678").to_floats().ok()) << dtype;
  }
}

TEST(NdArray, HasNoViewAsAnotherType) {
  const NdArray array{1.0f};
  EXPECT_FALSE(array.view<double>());
  EXPECT_FALSE(array.view<std::int32_t>());
  EXPECT_FALSE(raw("<f4", {1}, "12345").view<float>());
}

}  // namespace
}  // namespace flow
