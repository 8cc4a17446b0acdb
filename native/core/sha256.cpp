#include "core/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace rosi::core {
namespace {

constexpr std::size_t piece = 1u << 20;  // between two looks at the caller's wish to stop: about a millisecond

void compress(std::uint32_t* state, const std::byte* data, std::size_t n_blocks) {
  if (n_blocks == 0 || internal::sha256_blocks_accelerated(state, data, n_blocks)) return;
  internal::sha256_blocks_portable(state, data, n_blocks);
}

}  // namespace

void Sha256::update(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  const std::size_t waiting = length_ % 64;
  length_ += bytes.size();
  if (waiting > 0) {
    const std::size_t taken = std::min(bytes.size(), 64 - waiting);
    std::memcpy(block_.data() + waiting, bytes.data(), taken);
    bytes = bytes.subspan(taken);
    if (waiting + taken < 64) return;
    compress(state_.data(), block_.data(), 1);
  }
  const std::size_t whole = bytes.size() / 64;
  compress(state_.data(), bytes.data(), whole);
  const std::span<const std::byte> rest = bytes.subspan(whole * 64);
  if (!rest.empty()) std::memcpy(block_.data(), rest.data(), rest.size());
}

void Sha256::update_both(Sha256& first, std::span<const std::byte> first_bytes, Sha256& second,
                         std::span<const std::byte> second_bytes) {
  std::size_t whole = 0;
  if (first.length_ % 64 == 0 && second.length_ % 64 == 0 && first_bytes.size() == second_bytes.size()) {
    const internal::Messages messages{{first.state_.data(), second.state_.data()},
                                      {first_bytes.data(), second_bytes.data()}};
    if (internal::sha256_blocks_accelerated(messages, first_bytes.size() / 64)) whole = first_bytes.size() / 64 * 64;
  }
  first.length_ += whole;
  second.length_ += whole;
  first.update(first_bytes.subspan(whole));
  second.update(second_bytes.subspan(whole));
}

Sha256::Digest Sha256::digest() {
  const std::uint64_t bits = length_ * 8;
  std::size_t used = length_ % 64;
  block_[used++] = std::byte{0x80};
  if (used > 56) {
    std::fill(block_.begin() + static_cast<std::ptrdiff_t>(used), block_.end(), std::byte{0});
    compress(state_.data(), block_.data(), 1);
    used = 0;
  }
  std::fill(block_.begin() + static_cast<std::ptrdiff_t>(used), block_.end(), std::byte{0});
  for (std::size_t i = 0; i < 8; ++i) block_[63 - i] = static_cast<std::byte>(bits >> (8 * i));
  compress(state_.data(), block_.data(), 1);

  Digest digest;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<std::byte>(state_[i / 4] >> (24 - 8 * (i % 4)));
  }
  return digest;
}

std::string Sha256::finish() {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : digest()) {
    text += digits[std::to_integer<int>(byte) >> 4];
    text += digits[std::to_integer<int>(byte) & 15];
  }
  return text;
}

std::string sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string sha256(std::span<const InputFile* const> files, const OnBytes& on_bytes) {
  Sha256 hash;
  std::vector<std::byte> buffer(piece);
  for (const InputFile* file : files) {
    for (std::uint64_t offset = 0; offset < file->size();) {
      const std::span<std::byte> part(buffer.data(), std::min<std::uint64_t>(file->size() - offset, piece));
      file->read(offset, part);
      hash.update(part);
      offset += part.size();
      if (on_bytes) on_bytes(part.size());
    }
  }
  return hash.finish();
}

std::string sha256(std::uint64_t size, const ReadBytes& read, const OnBytes& on_bytes) {
  Sha256 hash;
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(size, piece)));
  for (std::uint64_t offset = 0; offset < size;) {
    const std::span<std::byte> part(buffer.data(), std::min<std::uint64_t>(size - offset, buffer.size()));
    read(offset, part);
    hash.update(part);
    offset += part.size();
    if (on_bytes) on_bytes(part.size());
  }
  return hash.finish();
}

namespace internal {

// First 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
alignas(16) extern const std::uint32_t sha256_constants[64];
alignas(16) const std::uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

void sha256_blocks_portable(std::uint32_t* state, const std::byte* data, std::size_t n_blocks) {
  for (; n_blocks > 0; --n_blocks, data += 64) {
    std::uint32_t w[64];
    for (int i = 0; i < 16; ++i) {
      w[i] = std::uint32_t(data[4 * i]) << 24 | std::uint32_t(data[4 * i + 1]) << 16 |
             std::uint32_t(data[4 * i + 2]) << 8 | std::uint32_t(data[4 * i + 3]);
    }
    for (int i = 16; i < 64; ++i) {
      const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
      const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    std::uint32_t v[8];
    std::copy(state, state + 8, v);
    // Eight rounds at a time: the names rotate instead of the values.
    const auto round = [&w](std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t& d, std::uint32_t e,
                            std::uint32_t f, std::uint32_t g, std::uint32_t& h, int i) {
      const std::uint32_t t1 = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + (g ^ (e & (f ^ g))) +
                               sha256_constants[i] + w[i];
      const std::uint32_t t2 = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) | (c & (a | b)));
      d += t1;
      h = t1 + t2;
    };
    for (int i = 0; i < 64; i += 8) {
      round(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], i);
      round(v[7], v[0], v[1], v[2], v[3], v[4], v[5], v[6], i + 1);
      round(v[6], v[7], v[0], v[1], v[2], v[3], v[4], v[5], i + 2);
      round(v[5], v[6], v[7], v[0], v[1], v[2], v[3], v[4], i + 3);
      round(v[4], v[5], v[6], v[7], v[0], v[1], v[2], v[3], i + 4);
      round(v[3], v[4], v[5], v[6], v[7], v[0], v[1], v[2], i + 5);
      round(v[2], v[3], v[4], v[5], v[6], v[7], v[0], v[1], i + 6);
      round(v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[0], i + 7);
    }
    for (int i = 0; i < 8; ++i) state[i] += v[i];
  }
}

}  // namespace internal

}  // namespace rosi::core
