#include "core/checksum.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace rosi::core {
namespace {

constexpr std::uint64_t piece_bytes = std::uint64_t{1} << 20;

}  // namespace

Checksum::Checksum(std::uint64_t size, std::uint64_t place, std::uint64_t zeros, ReadBytes read)
    : size_(size),
      place_(place),
      zeros_(zeros),
      read_(std::move(read)),
      digests_(static_cast<std::size_t>((size + piece_bytes - 1) / piece_bytes)) {}

void Checksum::run(std::int64_t task, const OnBytes& on_bytes) {
  const auto memory = std::make_unique_for_overwrite<std::byte[]>(2 * piece_bytes);
  const std::span<std::byte> buffer(memory.get(), 2 * piece_bytes);
  const auto first = static_cast<std::size_t>(2 * task), second = first + 1;
  const std::span<std::byte> one = load(first, buffer.first(piece_bytes));
  if (second < digests_.size()) {
    const std::span<std::byte> other = load(second, buffer.last(piece_bytes));
    Sha256 a, b;
    const std::size_t common = std::min(one.size(), other.size());
    Sha256::update_both(a, one.first(common), b, other.first(common));
    a.update(one.subspan(common));
    digests_[first] = a.digest();
    digests_[second] = b.digest();
    if (on_bytes) on_bytes(one.size() + other.size());
  } else {
    Sha256 hash;
    hash.update(one);
    digests_[first] = hash.digest();
    if (on_bytes) on_bytes(one.size());
  }
}

std::span<std::byte> Checksum::load(std::size_t piece, std::span<std::byte> buffer) const {
  const std::uint64_t offset = piece * piece_bytes;
  const std::span<std::byte> part = buffer.first(static_cast<std::size_t>(std::min(size_ - offset, piece_bytes)));
  read_(offset, part);
  const std::uint64_t begin = std::max(offset, place_);
  const std::uint64_t end = std::min(offset + part.size(), place_ + zeros_);
  if (begin < end) std::memset(part.data() + (begin - offset), '0', static_cast<std::size_t>(end - begin));
  return part;
}

std::string Checksum::finish() const {
  Sha256 hash;
  for (const Sha256::Digest& digest : digests_) hash.update(digest);
  return hash.finish();
}

std::string checksum(std::uint64_t size, std::uint64_t place, std::uint64_t zeros, const ReadBytes& read,
                     const ThreadPool& threads, const OnBytes& on_bytes) {
  Checksum checksum(size, place, zeros, read);
  threads.for_each(checksum.n_tasks(),
                   [&](std::int64_t task, const ThreadPool::Run&) { checksum.run(task, on_bytes); });
  return checksum.finish();
}

}  // namespace rosi::core
