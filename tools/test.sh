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

# Each fuzzer starts from real files of its kind.
fuzz() {
  local seconds=${SSMC_FUZZ_SECONDS:-60} name folder=$root/build-fuzz
  mkdir -p "$folder"/corpus/{FuzzArtifact,FuzzConfig,FuzzSafeTensors,FuzzTokenizer}
  local fixture
  for fixture in "$root"/test/fixtures/*/config.json "$root"/test/fixtures/configs/*/config.json; do
    cp "$fixture" "$folder/corpus/FuzzConfig/$(basename "$(dirname "$fixture")").json"
  done
  cp "$root"/frontends/cards/*.json "$folder/corpus/FuzzConfig/"
  cp "$root/test/models/hybrid/tokenizer.json" "$folder/corpus/FuzzTokenizer/"
  for name in FuzzArtifact FuzzConfig FuzzSafeTensors FuzzTokenizer; do
    say "fuzzing with $name for $seconds s"
    ASAN_OPTIONS=detect_container_overflow=0 "$folder/bin/$name" \
      -rss_limit_mb=4096 -max_total_time="$seconds" -verbosity=0 \
      -artifact_prefix="$folder/" "$folder/corpus/$name" \
      >"$folder/$name.log" 2>&1 || { tail -n 40 "$folder/$name.log"; return 1; }
  done
}

install_packages
configure "$root/build"
step "build" build "$root/build"
step "reference pages" build "$root/build" mlir-doc
step "unit tests" ctest --test-dir "$root/build" --output-on-failure
step "lit tests" ninja -C "$root/build" check-ssm
configure "$root/build-sanitize" -DSSMC_RUNTIME_ONLY=ON -DSSMC_SANITIZE=ON
step "sanitizer build of the runtime" build "$root/build-sanitize"
step "unit tests under sanitizers" ctest --test-dir "$root/build-sanitize" --output-on-failure
configure "$root/build-fuzz" -DSSMC_FUZZ=ON
step "fuzzers" build "$root/build-fuzz" fuzzers
step "fuzzing" fuzz
say "all tests passed in $SECONDS s"
