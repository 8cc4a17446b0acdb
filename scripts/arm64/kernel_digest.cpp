// Prints a line for each type: how an update of a tensor went, and a hash of the bytes that it made. check-arm64.sh compares the
// lines of two processors.
#include <cinttypes>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "kernels/blocks.h"
#include "kernels/rank_one.h"
#include "kernels/refit.h"
#include "kernels/tensor_view.h"
#include "kernels/types.h"

namespace {

constexpr std::int64_t kIn = 768, kOut = 96;

/// Numbers that every processor makes alike: sums of uniform ones, by whole arithmetic.
class Numbers {
 public:
  float next() {
    float sum = 0;
    for (int i = 0; i < 3; ++i) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      sum += static_cast<float>(state_ >> 40) * 0x1p-24f - 0.5f;
    }
    return sum;
  }
  std::vector<float> take(std::int64_t n, float scale) {
    std::vector<float> values(static_cast<std::size_t>(n));
    for (float& value : values) value = next() * scale;
    return values;
  }

 private:
  std::uint64_t state_ = 1;
};

std::uint64_t hash(const std::vector<std::byte>& bytes) {
  std::uint64_t value = 0xcbf29ce484222325u;
  for (const std::byte byte : bytes) value = (value ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3u;
  return value;
}

}  // namespace

int main() {
  using namespace rosi::kernels;
  for (std::uint32_t type = 0; type < 64; ++type) {
    if (!supports_rank_one(type)) continue;
    for (const float change : {0.005f, 0.05f}) {
      Numbers numbers;
      const std::vector<float> weights = numbers.take(kIn * kOut, 0.03f);
      const std::size_t bytes = row_bytes(type, kIn);
      std::vector<std::byte> source(bytes * kOut), target(source.size());
      for (std::int64_t i = 0; i < kOut; ++i)
        quantize_row(type, weights.data() + i * kIn, source.data() + static_cast<std::size_t>(i) * bytes, kIn);
      const std::vector<float> right = numbers.take(kIn, 1), squares(static_cast<std::size_t>(kIn), 0.5f);
      const std::vector<float> left = numbers.take(kOut, change * 0.06f);
      const RankOne update{.left = left, .right = right, .inputs = {squares, 1.0}};
      const Realised done = add_rank_one(type, source, target, kIn, kOut, update, 2, {});
      std::printf("%u %g %s %016" PRIx64 " %016" PRIx64 " gain %.9g noise %.9g\n", type, double{change},
                  done.mode.c_str(), hash(source), hash(target), done.gain, done.noise_to_signal.value_or(0));
    }
  }
}
