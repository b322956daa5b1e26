#!/usr/bin/env bash
# Builds llama-server and llama-bench for bench/run.ts, outside this repository, from the same source that the
# shipped libraries were built from: the git bundle inside the npm package node-llama-cpp.
#
#   bench/build-peer.sh FOLDER        (needs npm, git, cmake, a C++ compiler; uses ninja if available)
#
# The processor's features are switched on one by one instead of with GGML_NATIVE. A native build on a processor with
# AVX512-FP16 gets an attention kernel that is three times slower than the shipped libraries' one, and being faster
# than that would mean nothing.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
# The package whose libraries we ship.
version=$(node -p "require('$repository/package.json').optionalDependencies['@node-llama-cpp/linux-x64']")

if [ $# -ne 1 ]; then
  echo "usage: bench/build-peer.sh FOLDER" >&2
  exit 1
fi
if [ "$(uname -m)" != x86_64 ] || [ ! -r /proc/cpuinfo ]; then
  echo "build-peer.sh: knows the feature flags of x86-64 Linux only" >&2
  exit 1
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
case "$folder/" in
  "$repository"/*)
    echo "build-peer.sh: $folder is inside the repository; give a folder outside" >&2
    exit 1
    ;;
esac
cd "$folder"

if [ ! -d llama.cpp/.git ]; then
  rm -rf package llama.cpp
  npm pack --silent "node-llama-cpp@$version" >/dev/null
  tar -xzf "node-llama-cpp-$version.tgz" package/llama/gitRelease.bundle
  git clone --quiet package/llama/gitRelease.bundle llama.cpp
fi

# has NAME: does the processor have the feature, spelled as in /proc/cpuinfo?
has() { grep -m1 '^flags' /proc/cpuinfo | grep -qw "$1"; }
flags=()
# feature OPTION NAME…: turns the build option on if the processor has all these features.
feature() {
  local option=$1 state=ON
  shift
  for name in "$@"; do has "$name" || state=OFF; done
  flags+=("-DGGML_$option=$state")
}
feature SSE42 sse4_2
feature AVX avx
feature AVX2 avx2
feature FMA fma
feature F16C f16c
feature BMI2 bmi2
# What GGML_AVX512 compiles for, as in ggml's CMake file.
feature AVX512 avx512f avx512cd avx512vl avx512dq avx512bw
feature AVX512_VBMI avx512vbmi
feature AVX512_VNNI avx512_vnni
feature AVX512_BF16 avx512_bf16

generator=()
if command -v ninja >/dev/null; then generator=(-G Ninja); fi
cmake -S llama.cpp -B llama.cpp/build "${generator[@]}" \
  -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=OFF "${flags[@]}" \
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_OPENSSL=OFF
cmake --build llama.cpp/build --parallel "$(nproc)" --target llama-server llama-bench
echo "built: $folder/llama.cpp/build/bin/llama-server and llama-bench with ${flags[*]}"
