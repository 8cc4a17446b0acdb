#include "kernels/row_codes.h"

#include <algorithm>

#include "core/clones.h"
#include "kernels/blocks.h"

namespace rosi::kernels {
namespace {

/// Byte by byte, which vectorises where the codes of a run lie in as many bytes.
template <class Block>
ROSI_INLINE void load_run(const Block& block, int run, std::int8_t* __restrict codes) {
  for (int k = 0; k < kRun; ++k) codes[k] = static_cast<std::int8_t>(block.code(run, k));
}
ROSI_INLINE void load_run(const BlockQ4_0& block, int, std::int8_t* codes) { block.low.load(codes); }
ROSI_INLINE void load_run(const BlockQ4_1& block, int, std::int8_t* codes) { block.low.load(codes); }
ROSI_INLINE void load_run(const BlockQ5_0& block, int, std::int8_t* codes) {
  block.low.load(codes);
  block.high.add(codes);
}
ROSI_INLINE void load_run(const BlockQ5_1& block, int, std::int8_t* codes) {
  block.low.load(codes);
  block.high.add(codes);
}
ROSI_INLINE void load_run(const BlockIQ4_NL& block, int, std::int8_t* codes) { block.low.load(codes); }
ROSI_INLINE void load_run(const BlockIQ4_XS& block, int run, std::int8_t* codes) { block.low[run].load(codes); }
ROSI_INLINE void load_run(const BlockMXFP4& block, int, std::int8_t* codes) { block.low.load(codes); }

template <class Block>
ROSI_INLINE void store_run(Block& __restrict block, int run, const std::int8_t* __restrict codes) {
  for (int k = 0; k < kRun; ++k) block.set_code(run, k, codes[k]);
}
ROSI_INLINE void store_run(BlockQ4_0& block, int, const std::int8_t* codes) { block.low.store(codes); }
ROSI_INLINE void store_run(BlockQ4_1& block, int, const std::int8_t* codes) { block.low.store(codes); }
ROSI_INLINE void store_run(BlockQ5_0& block, int, const std::int8_t* codes) {
  block.low.store(codes);
  block.high.store(codes);
}
ROSI_INLINE void store_run(BlockQ5_1& block, int, const std::int8_t* codes) {
  block.low.store(codes);
  block.high.store(codes);
}

template <class Block>
ROSI_CLONES void load(const Block* blocks, std::int64_t first_run, std::int64_t n_runs, std::int8_t* codes) {
  constexpr int kBlockRuns = Block::kWeights / kRun;
  for (std::int64_t run = first_run; run < first_run + n_runs; ++run) {
    load_run(blocks[run / kBlockRuns], static_cast<int>(run % kBlockRuns), codes);
    codes += kRun;
  }
}

template <class Block>
ROSI_CLONES void store(Block* __restrict blocks, std::int64_t first_run, std::int64_t n_runs,
                       const std::int8_t* __restrict codes) {
  constexpr int kBlockRuns = Block::kWeights / kRun;
  for (std::int64_t run = first_run; run < first_run + n_runs; ++run) {
    Block& block = blocks[run / kBlockRuns];
    store_run(block, static_cast<int>(run % kBlockRuns), codes);
    codes += kRun;
  }
}

/// Calls `use` with the grid of each 16 weights.
template <class Block, class Use>
ROSI_INLINE void for_each_grid(const Block* blocks, std::int64_t first_run, std::int64_t n_runs, const Use& use) {
  constexpr int kBlockRuns = Block::kWeights / kRun;
  const std::int64_t end = first_run + n_runs;
  for (std::int64_t begin = first_run; begin < end;) {
    const Block& block = blocks[begin / kBlockRuns];
    const std::int64_t block_begin = begin / kBlockRuns * kBlockRuns;
    const int stop = static_cast<int>(std::min<std::int64_t>(kBlockRuns, end - block_begin));
    for (int run = static_cast<int>(begin - block_begin); run < stop; ++run) {
      const Grid grid = block.grid(run, 0);
      use(grid);
      use(Block::kStepWeights == kRun ? grid : block.grid(run, 1));
    }
    begin = block_begin + stop;
  }
}

}  // namespace

ROSI_CLONES void to_values(const CodeFormat& format, const float* steps, const float* offsets, const std::int8_t* codes,
                           std::int64_t n_runs, float* __restrict values) {
  const int centre = format.centre;
  for (std::int64_t run = 0; run < n_runs; ++run) {
    int code[kRun];
    for (int k = 0; k < kRun; ++k) code[k] = codes[k];
    for (int part = 0; part < kRunGrids; ++part) {
      const Grid grid{steps[part], offsets[part]};
      for (int k = part * kGridWeights; k < (part + 1) * kGridWeights; ++k) values[k] = value_of(grid, code[k], centre);
    }
    codes += kRun;
    steps += kRunGrids;
    offsets += kRunGrids;
    values += kRun;
  }
}

CodeFormat code_format(std::uint32_t type) {
  CodeFormat format{};
  with_block(type, [&](auto tag) {
    using Block = typename decltype(tag)::Type;
    format = {
        {Block::kLowest, Block::kHighest}, Block::kCentre, Block::kStepWeights, decltype(codes_of<Block>())::kSpacing};
  });
  return format;
}

void load_codes(std::uint32_t type, const std::byte* row, std::int64_t first_run, std::int64_t n_runs,
                std::int8_t* codes) {
  with_block(type, [&](auto tag) {
    load(reinterpret_cast<const typename decltype(tag)::Type*>(row), first_run, n_runs, codes);
  });
}

void store_codes(std::uint32_t type, std::byte* row, std::int64_t first_run, std::int64_t n_runs,
                 const std::int8_t* codes) {
  with_block(type,
             [&](auto tag) { store(reinterpret_cast<typename decltype(tag)::Type*>(row), first_run, n_runs, codes); });
}

void load_grids(std::uint32_t type, const std::byte* row, std::int64_t first_run, std::int64_t n_runs,
                float* __restrict steps, float* __restrict offsets) {
  with_block(type, [&](auto tag) {
    for_each_grid(reinterpret_cast<const typename decltype(tag)::Type*>(row), first_run, n_runs,
                  [&steps, &offsets](const Grid& grid) {
                    *steps++ = grid.step;
                    *offsets++ = grid.offset;
                  });
  });
}

void load_steps(std::uint32_t type, const std::byte* row, std::int64_t first_run, std::int64_t n_runs,
                float* __restrict steps) {
  with_block(type, [&](auto tag) {
    for_each_grid(reinterpret_cast<const typename decltype(tag)::Type*>(row), first_run, n_runs,
                  [&steps](const Grid& grid) { *steps++ = grid.step; });
  });
}

}  // namespace rosi::kernels
