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

# Each fuzzer starts from real files of its kind and a fixed seed, two at a
# time; SSMC_FUZZ_SECONDS is the time of each, SSMC_FUZZ_SEED its seed (0: a
# new one every time).
fuzz() {
  local seconds=${SSMC_FUZZ_SECONDS:-60} folder=$root/build-fuzz
  rm -rf "$folder/corpus"
  mkdir -p "$folder"/corpus/{FuzzArtifact,FuzzConfig,FuzzSafeTensors,FuzzTokenizer}
  local fixture
  for fixture in "$root"/test/fixtures/*/config.json "$root"/test/fixtures/configs/*/config.json; do
    cp "$fixture" "$folder/corpus/FuzzConfig/$(basename "$(dirname "$fixture")").json"
  done
  cp "$root"/frontends/cards/*.json "$folder/corpus/FuzzConfig/"
  cp "$root/test/models/hybrid/tokenizer.json" "$folder/corpus/FuzzTokenizer/"
  say "fuzzing for $seconds s with each of $(ls -m "$folder/corpus")"
  ls "$folder/corpus" | xargs -P 2 -I NAME bash -c \
    'ASAN_OPTIONS=detect_container_overflow=0 "$1/bin/NAME" -seed="$3" \
       -rss_limit_mb=4096 -max_total_time="$2" -verbosity=0 \
       -artifact_prefix="$1/NAME-" "$1/corpus/NAME" >"$1/NAME.log" 2>&1 ||
     { tail -n 40 "$1/NAME.log"; exit 1; }' \
    fuzz "$folder" "$seconds" "${SSMC_FUZZ_SEED:-1}"
}

install_packages
step "format" bash "$root/tools/check-format.sh"
configure "$root/build"
step "build" build "$root/build"
step "reference pages" build "$root/build" mlir-doc
step "unit tests" ctest --test-dir "$root/build" -j "$(nproc)" --output-on-failure
step "lit tests" ninja -C "$root/build" check-ssm
configure "$root/build-sanitize" -DSSMC_RUNTIME_ONLY=ON -DSSMC_SANITIZE=ON
step "sanitizer build of the runtime" build "$root/build-sanitize"
step "unit tests under sanitizers" ctest --test-dir "$root/build-sanitize" -j "$(nproc)" --output-on-failure
configure "$root/build-fuzz" -DSSMC_FUZZ=ON
step "fuzzers" build "$root/build-fuzz" fuzzers
step "fuzzing" fuzz
say "all tests passed in $SECONDS s"
