# Shared by quickstart.sh and test.sh: installs what is missing, configures,
# builds. Source it; it sets `root` and defines functions.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
llvm=/usr/lib/llvm-22

say() { printf '== %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Debian packages the build and the tests need.
packages=(clang-22 clang-format-22 lld-22 llvm-22-dev llvm-22-tools libmlir-22-dev
          mlir-22-tools libclang-rt-22-dev cmake ninja-build ccache python3
          nlohmann-json3-dev libcli11-dev libgtest-dev pkg-config)

install_packages() {
  local missing=() package
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null |
      grep -q '^install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null ||
    fail "these Debian packages are missing and there is no apt-get: ${missing[*]}"
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      fail "run as root or install sudo: these packages are missing: ${missing[*]}"
    sudo=(sudo)
  fi
  say "installing ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  for package in "${missing[@]}"; do
    [ -n "$(apt-cache policy "$package" 2>/dev/null |
      sed -n 's/^ *Candidate: \([^(].*\)/\1/p')" ] ||
      fail "no package '$package' here: LLVM 22 comes from the security archive of Debian 12 (bookworm-security), which must be among apt's sources"
  done
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends "${missing[@]}" >/dev/null
}

# configure FOLDER [cmake options...]: Ninja, Clang 22, lld, ccache.
configure() {
  local build=$1
  shift
  export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
  mkdir -p "$build"
  say "configuring $build"
  cmake -S "$root" -B "$build" -G Ninja \
    -DCMAKE_C_COMPILER=$llvm/bin/clang \
    -DCMAKE_CXX_COMPILER=$llvm/bin/clang++ \
    -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld \
    -DCMAKE_SHARED_LINKER_FLAGS=-fuse-ld=lld \
    -DMLIR_DIR=$llvm/lib/cmake/mlir -DLLVM_DIR=$llvm/lib/cmake/llvm \
    "$@" >"$build/configure.log" 2>&1 ||
    { cat "$build/configure.log" >&2; fail "cmake failed"; }
}

# build FOLDER [targets...]
build() {
  local build=$1
  shift
  say "building ${*:-everything}"
  ninja -C "$build" "$@" | tail -n 1
}
