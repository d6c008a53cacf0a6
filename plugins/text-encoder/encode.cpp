// SPDX-License-Identifier: Apache-2.0
#include "encode.hpp"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace {

// Stand before and after the text, so that its ends make n-grams of their own. Control characters
// that no text contains.
constexpr char kBegin = '\x02';
constexpr char kEnd = '\x03';

// FNV-1a, and then the finaliser of MurmurHash3 because the buckets need well-mixed low bits.
std::uint64_t hash(std::string_view bytes) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53;
  return h ^ (h >> 33);
}

// Where characters begin, and where the last one ends. Counts what is no UTF-8 byte by byte or in
// clusters; either way the same each time.
std::vector<std::size_t> boundaries(std::string_view text) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool continues = (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80;
    if (!continues) result.push_back(i);
  }
  result.push_back(text.size());
  return result;
}

}  // namespace

void encode(std::string_view text, NgramRange ngrams, std::span<float> embedding) {
  std::vector<std::int64_t> counts(embedding.size());
  if (!text.empty()) {
    const std::string padded = kBegin + std::string(text) + kEnd;
    const std::string_view characters = padded;
    const std::vector<std::size_t> at = boundaries(padded);
    for (std::size_t first = 0; first + 1 < at.size(); ++first) {
      for (std::size_t n = ngrams.min; n <= ngrams.max && first + n < at.size(); ++n) {
        const std::uint64_t h = hash(characters.substr(at[first], at[first + n] - at[first]));
        // The sign makes n-grams that meet in a bucket cancel out on average, not add up.
        counts[h % counts.size()] += (h >> 63) != 0 ? 1 : -1;
      }
    }
  }

  // Integers up to here, and then only operations that IEEE 754 rounds correctly: hence the same
  // bits everywhere.
  std::int64_t sum_of_squares = 0;
  for (const std::int64_t count : counts) sum_of_squares += count * count;
  const double length = sum_of_squares == 0 ? 1 : std::sqrt(static_cast<double>(sum_of_squares));
  for (std::size_t i = 0; i < counts.size(); ++i) {
    embedding[i] = static_cast<float>(static_cast<double>(counts[i]) / length);
  }
}
