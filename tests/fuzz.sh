#!/usr/bin/env bash
# Throws bytes at everything that reads them from outside, for one minute in all (or $1 seconds), with libFuzzer and the
# toolchain that builds everything else. Needs the guests (`make guests`) and a C++ compiler for libFuzzer itself.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=(sip sdp rtp config component)
seconds=$((${1:-60} / ${#targets[@]}))
target_dir=${CARGO_TARGET_DIR:-$PWD/target}
guests=${STROWGER_GUESTS:-target/guests}
command -v c++ >/dev/null || { echo "libFuzzer needs a C++ compiler: apt-get install g++" >&2; exit 1; }

RUSTC_WORKSPACE_WRAPPER=$PWD/tests/fuzz/instrument.sh cargo build --release -p fuzz

# What is read outside of a test looks like this; libFuzzer changes it.
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
mkdir "$seeds"/{sip,sdp,rtp,config,component}
for message in tests/vectors/*/*; do
  name=$(basename "$(dirname "$message")")-$(basename "$message")
  cp "$message" "$seeds/sip/$name"
  awk 'in_body; /^\r?$/ { in_body = 1 }' "$message" >"$seeds/sdp/$name"
done
for world in examples/*/strowger.toml; do
  cp "$world" "$seeds/config/$(basename "$(dirname "$world")").toml"
done
cp "$guests"/{echo,silent,badimport}.wasm "$seeds/component"

for target in "${targets[@]}"; do
  corpus=tests/fuzz/corpus/$target artifacts=tests/fuzz/artifacts/$target
  mkdir -p "$corpus" "$artifacts"
  echo "$target: $seconds s"
  "$target_dir/release/$target" "$corpus" "$seeds/$target" -artifact_prefix="$artifacts/" -verbosity=0 \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 >"$seeds/said" 2>&1 || {
    cat "$seeds/said" >&2
    echo "$target: what did it is in $artifacts" >&2
    exit 1
  }
  sed -n 's/^stat::/  /p' "$seeds/said"
done
