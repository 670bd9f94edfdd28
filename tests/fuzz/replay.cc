// A short run of a fuzz target without libFuzzer: its seeds, and mutations of them, always the
// same.
//
// So that every run of the sanitizers tries every decoder, with any compiler. What a long run finds
// becomes a seed. Arguments: the directory of seeds. Exits 0; a finding aborts.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kMutationsOfEach = 1'000;
constexpr size_t kMaxBytes = 65'536;  // longer ones only take longer

void Try(const std::string& input) {
  // A copy of its exact size, so that a read beyond it is seen.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::string Mutate(std::string input, std::mt19937& random) {
  const auto below = [&](size_t n) { return n == 0 ? 0 : random() % n; };
  for (size_t changes = 1 + below(4); changes > 0; --changes) {
    const size_t at = below(input.size() + 1);
    switch (below(5)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(random());
        break;
      case 1:
        input.insert(at, 1, static_cast<char>(random()));
        break;
      case 2:
        input.erase(at, 1 + below(16));
        break;
      case 3:
        input.insert(at, input.substr(below(input.size() + 1), below(64)));
        break;
      default:
        input.resize(at);
    }
  }
  if (input.size() > kMaxBytes) input.resize(kMaxBytes);
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[1])) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  Try("");
  int inputs = 1;
  std::mt19937 random(1);
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const std::string seed((std::istreambuf_iterator<char>(stream)), {});
    Try(seed);
    for (int i = 0; i < kMutationsOfEach; ++i) Try(Mutate(seed, random));
    inputs += 1 + kMutationsOfEach;
  }
  std::printf("%d inputs from %zu seeds\n", inputs, files.size());
  return files.empty() ? 1 : 0;
}
