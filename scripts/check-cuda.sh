#!/usr/bin/env bash
# Builds the library rosi-cuda as `build-addon.mjs --cuda` does, for the processors that CMakeLists.txt names, and fails on a
# warning or a spilled register. Needs no GPU.
set -euo pipefail
cd "$(dirname "$0")/.."
CUDACXX=$(scripts/nvcc.sh)
export CUDACXX CUDAFLAGS='-Xptxas=-v -Werror=all-warnings'

log=build/cuda.log
mkdir -p build
# What was compiled before says nothing again.
rm -rf build/cmake-cuda/CMakeFiles/rosi_cuda.dir
if ! node scripts/build-addon.mjs --cuda --only rosi_cuda >"$log" 2>&1; then
  cat "$log"; echo 'cuda: the kernels do not compile'; exit 1
fi
kernels=$(grep -c 'Compiling entry function' "$log") || { cat "$log"; echo 'cuda: no kernel was compiled'; exit 1; }
if grep -E '[1-9][0-9]* bytes spill' "$log"; then echo "cuda: registers are spilled, see $log"; exit 1; fi
echo "cuda: $kernels kernels for $(grep -oE "'sm_[0-9]+'" "$log" | sort -u | tr -d "'" | tr '\n' ' ')without a spill"
