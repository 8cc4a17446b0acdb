#!/usr/bin/env bash
# Prints the path of nvcc: CUDACXX, the one on PATH, or one from PyPI that it installs into build/cuda-venv.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ -n ${CUDACXX:-} ]]; then echo "$CUDACXX"; exit 0; fi
if command -v nvcc; then exit 0; fi

venv=$PWD/build/cuda-venv
wanted=scripts/nvcc-requirements.txt
if ! cmp -s "$wanted" "$venv/installed.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$wanted" >&2
  cp "$wanted" "$venv/installed.txt"
fi
echo "$venv"/lib/python3*/site-packages/nvidia/cu13/bin/nvcc
