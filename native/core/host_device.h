// Functions that both g++ and nvcc compile, so that a machine without a GPU tests every line that can round.
#pragma once

#if defined(__CUDACC__)
#define ROSI_HD __host__ __device__
#else
#define ROSI_HD
#endif

#if defined(__GNUC__) || defined(__clang__)
#define ROSI_INLINE inline __attribute__((always_inline))
#else
#define ROSI_INLINE inline
#endif
