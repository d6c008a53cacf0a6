// SPDX-License-Identifier: Apache-2.0
// Gives the files of the directories that are its arguments to a fuzz target, once each: the corpus
// stays checked where there is no fuzzer.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

int main(int argc, char** argv) {
  int count = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes(std::istreambuf_iterator<char>(file), {});
      // Says which one, should the next line not return.
      std::printf("%s\n", entry.path().c_str());
      std::fflush(stdout);
      LLVMFuzzerTestOneInput(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
      ++count;
    }
  }
  if (count > 0) return 0;
  std::fprintf(stderr, "usage: %s DIRECTORY...\nThere must be files in them.\n", argv[0]);
  return 2;
}
