// One binary for every x86-64: a marked function is compiled for several instruction sets, and the loader picks.
//
// The library is compiled with -ffp-contract=off and without -ffast-math, so every clone computes the same bits,
// whether its set has fused multiply-add or not. Functions that a clone calls must be inlined into it (ROSI_INLINE), or
// they stay baseline code. -fno-trapping-math matters for speed: without it g++ keeps comparisons scalar for the sake
// of floating-point exceptions that nobody reads.
#pragma once

#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__CUDACC__)
#if __GNUC__ >= 12
#define ROSI_CLONES __attribute__((target_clones("default", "arch=x86-64-v3")))
// Also for AVX-512: functions that gain by it. Those that choose between many numbers lose.
#define ROSI_WIDE_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else  // knows no levels, and takes an architecture of AVX-512 for one processor alone
#define ROSI_CLONES __attribute__((target_clones("default", "avx2")))
#define ROSI_WIDE_CLONES ROSI_CLONES
#endif
#else
#define ROSI_CLONES
#define ROSI_WIDE_CLONES
#endif
