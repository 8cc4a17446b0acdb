// SHA-256 (FIPS 180-4). Uses the processor's SHA instructions where it has them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/file_io.h"
#include "core/progress.h"

namespace rosi::core {

class Sha256 {
 public:
  using Digest = std::array<std::byte, 32>;

  void update(std::span<const std::byte> bytes);
  /// update() of two hashes that are as long as each other, with as many bytes: in less time than one after the other.
  static void update_both(Sha256& first, std::span<const std::byte> first_bytes, Sha256& second,
                          std::span<const std::byte> second_bytes);
  /// The object is used up, as by the next one.
  Digest digest();
  /// The digest as 64 lower-case hex digits.
  std::string finish();

 private:
  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> block_;  // the first `length_ % 64` bytes wait here
  std::uint64_t length_ = 0;         // bytes so far
};

inline constexpr std::size_t sha256_digits = 64;

std::string sha256(std::span<const std::byte> bytes);

/// Called with the bytes done since the last call; throws to stop.
using OnBytes = std::function<void(std::uint64_t bytes)>;
/// Hashes whole files, as if they were one, in pieces of 1 MiB. Throws Error{file_failed}, and whatever `on_bytes`
/// throws.
std::string sha256(std::span<const InputFile* const> files, const OnBytes& on_bytes);
/// Fills `target` from `offset`.
using ReadBytes = std::function<void(std::uint64_t offset, std::span<std::byte> target)>;
std::string sha256(std::uint64_t size, const ReadBytes& read, const OnBytes& on_bytes);

namespace internal {
struct Messages {
  std::uint32_t* states[2];
  const std::byte* data[2];
};
/// One compression per 64 bytes. All give the same; tests compare them. False: can't here.
void sha256_blocks_portable(std::uint32_t* state, const std::byte* data, std::size_t n_blocks);
bool sha256_blocks_accelerated(std::uint32_t* state, const std::byte* data, std::size_t n_blocks);
bool sha256_blocks_accelerated(const Messages& messages, std::size_t n_blocks);
}  // namespace internal

}  // namespace rosi::core
