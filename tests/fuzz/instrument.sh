#!/usr/bin/env bash
# The compiler of the workspace's own crates while they are built for fuzzing: it counts the edges that run, and keeps
# the comparisons, for libFuzzer, and checks arithmetic. Cargo does not ask it for the libraries, which are neither ours
# to find mistakes in nor quick to build.
set -euo pipefail

case " $* " in
  *" --crate-name build_script_"* | *" --crate-type proc-macro "*) exec "$@" ;; # these run in the build
  *" --crate-name "*) ;;
  *) exec "$@" ;; # a question about the compiler
esac
exec "$@" --cfg fuzzing -Cdebug-assertions -Coverflow-checks -Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
