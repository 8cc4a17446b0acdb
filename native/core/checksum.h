// A checksum of many bytes that threads compute together, in any order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/sha256.h"
#include "core/thread_pool.h"

namespace rosi::core {

/// SHA-256 over the SHA-256 of each MiB, 32 bytes each; the last one may be shorter. `zeros` digits '0' stand in place
/// of the bytes at `place`, so that a file can hold its own checksum.
class Checksum {
 public:
  /// `read` is called from several threads at once.
  Checksum(std::uint64_t size, std::uint64_t place, std::uint64_t zeros, ReadBytes read);

  /// Each once, from any thread; takes 2 MiB of memory. Throws what reading and `on_bytes` throw.
  std::int64_t n_tasks() const noexcept { return static_cast<std::int64_t>(digests_.size() + 1) / 2; }
  void run(std::int64_t task, const OnBytes& on_bytes);
  /// After all of them.
  std::string finish() const;

 private:
  std::span<std::byte> load(std::size_t piece, std::span<std::byte> buffer) const;
  const std::uint64_t size_, place_, zeros_;
  const ReadBytes read_;
  std::vector<Sha256::Digest> digests_;  // of each piece
};

/// All of it. `on_bytes` is called from several threads at once.
std::string checksum(std::uint64_t size, std::uint64_t place, std::uint64_t zeros, const ReadBytes& read,
                     const ThreadPool& threads, const OnBytes& on_bytes);

}  // namespace rosi::core
