#!/usr/bin/env bash
# Compiles every CUDA file for the processors we support, and fails on a warning or a spilled register. Needs no GPU.
# Takes nvcc from PATH, else installs it from PyPI into build/cuda-venv.
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob
sources=(native/kernels/*.cu)
if ((${#sources[@]} == 0)); then echo "cuda: no .cu files"; exit 0; fi

mkdir -p build/cuda
if ! nvcc=$(command -v nvcc); then
  venv=build/cuda-venv
  nvcc=$(echo $venv/lib/python3*/site-packages/nvidia/cu13/bin/nvcc)
  if [[ ! -x $nvcc ]]; then
    python3 -m venv $venv
    $venv/bin/pip install --quiet --disable-pip-version-check \
      'nvidia-cuda-nvcc==13.*' 'nvidia-cuda-crt==13.*' 'nvidia-nvvm==13.*' 'nvidia-cuda-runtime==13.*'
    nvcc=$(echo $venv/lib/python3*/site-packages/nvidia/cu13/bin/nvcc)
  fi
fi

status=0
for source in "${sources[@]}"; do
  for arch in sm_80 sm_90; do
    log=build/cuda/$(basename "$source" .cu).$arch.log
    # --fmad=false: the CPU does not fuse a * b + c either, and both must write the same bytes.
    if ! "$nvcc" -std=c++20 -O3 --fmad=false -arch=$arch -Inative -Xptxas -v -Xcompiler -Wall,-ffp-contract=off \
        -c "$source" -o "build/cuda/$(basename "$source" .cu).$arch.o" >"$log" 2>&1; then
      cat "$log"; echo "cuda: $source does not compile for $arch"; status=1; continue
    fi
    if grep -E '[1-9][0-9]* bytes spill' "$log"; then echo "cuda: $source spills registers on $arch"; status=1; fi
    if grep -i 'warning' "$log"; then echo "cuda: $source has warnings on $arch"; status=1; fi
    echo "cuda: $source $arch: $(grep -c 'Compiling entry function' "$log") kernels"
  done
done
exit $status
