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
pure=$(cargo +nightly fuzz list --fuzz-dir tests/fuzz | wc -l)
engine=$(cargo +nightly fuzz list --fuzz-dir tests/fuzz/engine | wc -l)
seconds=$((${1:-60} / (pure + engine)))

# Every target of the package in folder $1, from the seeds in the folders that follow.
fuzz() {
  local package=$1
  shift
  for target in $(cargo +nightly fuzz list --fuzz-dir "$package"); do
    mkdir -p "tests/fuzz/corpus/$target"
    cargo +nightly fuzz run --fuzz-dir "$package" "$target" "tests/fuzz/corpus/$target" "$@" -- \
      -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
  done
}

fuzz tests/fuzz tests/vectors/*/
# The engine carries the shipped scripts, which are also what uploads look like.
export STROWGER_GUESTS=${STROWGER_GUESTS:-${CARGO_TARGET_DIR%/fuzz}/guests}
cargo run --quiet --release -p guest-build -- all --out "$STROWGER_GUESTS"
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
cp "$STROWGER_GUESTS"/{echo,silent,badimport}.wasm "$seeds"
fuzz tests/fuzz/engine "$seeds"
