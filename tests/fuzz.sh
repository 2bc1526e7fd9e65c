#!/usr/bin/env bash
# Throws bytes at everything that reads them from outside, for one minute in all (or $1 seconds): with cargo-fuzz
# where rustup has a nightly toolchain, else with the seeded changes of the vectors that `make test` runs too.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! rustup toolchain list 2>/dev/null | grep -q nightly; then
  echo "no nightly toolchain: the seeded tests instead of cargo-fuzz"
  exec cargo test --release -p protocol --test flipped_bits
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
# Their code is instrumented: it is kept apart from what everything else compiles.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
mapfile -t targets < <(cargo +nightly fuzz list --fuzz-dir tests/fuzz)
for target in "${targets[@]}"; do
  mkdir -p "tests/fuzz/corpus/$target"
  cargo +nightly fuzz run --fuzz-dir tests/fuzz "$target" "tests/fuzz/corpus/$target" tests/vectors/*/ -- \
    -max_total_time=$((${1:-60} / ${#targets[@]})) -timeout=5 -rss_limit_mb=1024 -print_final_stats=1
done
