// The order in which sigma-delta visits a tensor on several threads, with the same result as on one.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "core/progress.h"
#include "core/thread_pool.h"
#include "kernels/sigma_delta.h"
#include "kernels/unit_update.h"

namespace rosi::kernels {

/// Columns are cut into tiles of whole 256-weight blocks, so that two tiles never share a byte of any type.
inline constexpr std::int64_t kTileUnit = 256;

/// Two tiles a thread, so that the pipeline's start and end cost little; results do not depend on the width.
inline std::int64_t tile_width(std::int64_t n_in, int threads) {
  if (threads == 1) return n_in;
  const std::int64_t wanted = (n_in + 2 * threads - 1) / (2 * threads);
  return std::min(n_in, (wanted + kTileUnit - 1) / kTileUnit * kTileUnit);
}

/// A row's part in one tile.
struct RowTile {
  std::int64_t row;
  std::int64_t first_column;
  std::int64_t columns;
};

/// Calls `flip_row(RowTile, carry)` for every row of every tile, each row after the same row of the tile to its left
/// and after the rows above it in its own tile; its result is the carry for the tile to the right. Rows whose s is zero
/// are passed too.
template <class FlipRow>
void sweep(const UnitUpdate& update, const core::ThreadPool& threads, const core::Progress& progress,
           const FlipRow& flip_row) {
  constexpr std::int64_t kRowsPerTick = 16;  // how often a tile tells its right neighbour how far it is
  const std::int64_t n_in = update.n_in();
  const std::int64_t n_out = update.n_out();
  const std::int64_t width = tile_width(n_in, threads.threads());
  const std::int64_t n_tiles = (n_in + width - 1) / width;
  std::vector<float> carry(static_cast<std::size_t>(n_out), 0.0f);
  const auto done = std::make_unique<std::atomic<std::int64_t>[]>(static_cast<std::size_t>(n_tiles));
  threads.for_each(n_tiles, [&](std::int64_t tile, const core::ThreadPool::Run& run) {
    const std::int64_t columns = std::min(width, n_in - tile * width);
    for (std::int64_t begin = 0; begin < n_out; begin += kRowsPerTick) {
      const std::int64_t end = std::min(n_out, begin + kRowsPerTick);
      // The left tile is being worked on: the pool hands tiles out in order.
      while (tile > 0 && done[tile - 1].load(std::memory_order_acquire) < end) {
        if (run.failed()) return;
        std::this_thread::yield();
      }
      for (std::int64_t i = begin; i < end; ++i) carry[i] = flip_row(RowTile{i, tile * width, columns}, carry[i]);
      done[tile].store(end, std::memory_order_release);
      if (run.is_caller()) core::report(progress, double(tile * n_out + end) / double(n_tiles * n_out));
      if (run.failed()) return;
    }
  });
}

inline float largest_magnitude(const std::vector<float>& values) {
  float largest = 0;
  for (const float value : values) largest = larger(largest, magnitude(value));
  return largest;
}

}  // namespace rosi::kernels
