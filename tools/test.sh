#!/usr/bin/env bash
# Everything that must pass: builds the compiler and the runtime, runs unit
# tests, lit tests, numerics against the fixtures, the runtime alone, the
# sanitizer build and the fuzzers. Each step prints its time.
source "$(dirname "$0")/scripts/common.sh"

step() {
  local name=$1 start=$SECONDS
  shift
  say "$name"
  "$@" || fail "$name"
  say "$name: $((SECONDS - start)) s"
}

fuzz() {
  local target
  for target in "$root"/build-fuzz/bin/Fuzz*; do
    [[ $target == *.log ]] && continue
    mkdir -p "$root/build-fuzz/corpus-$(basename "$target")"
    say "fuzzing $(basename "$target") for ${SSMC_FUZZ_SECONDS:-60} s"
    ASAN_OPTIONS=detect_container_overflow=0 "$target" -rss_limit_mb=4096 \
      -max_total_time="${SSMC_FUZZ_SECONDS:-60}" -verbosity=0 -print_final_stats=0 \
      "$root/build-fuzz/corpus-$(basename "$target")" \
      >"$target.log" 2>&1 || { tail -n 40 "$target.log"; return 1; }
  done
}

install_packages
mkdir -p "$root/build" "$root/build-sanitize" "$root/build-fuzz"
configure "$root/build"
step "build" build "$root/build"
step "unit tests" ctest --test-dir "$root/build" --output-on-failure
step "lit tests" ninja -C "$root/build" check-ssm
configure "$root/build-sanitize" -DSSMC_RUNTIME_ONLY=ON -DSSMC_SANITIZE=ON
step "sanitizer build of the runtime" build "$root/build-sanitize"
step "unit tests under sanitizers" ctest --test-dir "$root/build-sanitize" --output-on-failure
configure "$root/build-fuzz" -DSSMC_RUNTIME_ONLY=ON -DSSMC_FUZZ=ON -DSSMC_SANITIZE=ON
step "fuzzers" build "$root/build-fuzz"
step "fuzzing" fuzz
say "all tests passed in $SECONDS s"
