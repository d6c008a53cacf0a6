// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

// Lengths of the n-grams that are counted, in characters.
struct NgramRange {
  std::size_t min = 2;
  std::size_t max = 4;
};

// Fills embedding with the hashed counts of text's n-grams, of length 1: texts that share n-grams
// get a large dot product. All zero if text is empty. The same on every platform and in every run.
void encode(std::string_view text, NgramRange ngrams, std::span<float> embedding);
