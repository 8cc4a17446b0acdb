#!/usr/bin/env bash
# Whether the kernels write the same bytes on arm64 as here: compiles them for it, with its own vector instructions, and runs them
# under qemu-user. Needs a cross-compiler and qemu (Debian: apt install g++-aarch64-linux-gnu qemu-user-static).
set -euo pipefail
cd "$(dirname "$0")/.."
out=build/arm64
rm -rf "$out" # most of the arithmetic is in headers: what was compiled before may be older than they are
mkdir -p "$out"
for tool in aarch64-linux-gnu-g++ qemu-aarch64-static; do
  command -v "$tool" >/dev/null || { echo "check-arm64: '$tool' was not found" >&2; exit 1; }
done
core=build/cmake/librosi_core.a
npm run --silent build:addon
# As CMakeLists.txt has them.
flags=(-std=c++20 -O3 -Wall -Wextra -ffp-contract=off -fno-trapping-math -fno-math-errno -Inative)
arm=aarch64-linux-gnu-g++
mapfile -t sources < <(ls native/kernels/*.cpp native/core/*.cpp scripts/arm64/kernel_digest.cpp)
for source in "${sources[@]}"; do "$arm" "${flags[@]}" -c "$source" -o "$out/$(basename "$source").o"; done
"$arm" -static -pthread "$out"/*.o -o "$out/digest-arm64"
"${CXX:-c++}" "${flags[@]}" scripts/arm64/kernel_digest.cpp "$core" -pthread -o "$out/digest-here"
"$out/digest-here" >"$out/here.txt"
qemu-aarch64-static "$out/digest-arm64" >"$out/arm64.txt"
diff "$out/here.txt" "$out/arm64.txt"
types=$(cut -d' ' -f1 "$out/here.txt" | sort -u | wc -l)
echo "arm64: $(wc -l <"$out/here.txt") updates of $types types: the same bytes as on $(uname -m)"
