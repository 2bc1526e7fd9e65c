#!/usr/bin/env bash
# The exchange on aarch64: builds it for that processor, and shows on this machine that it is the same exchange there. Takes
# half an hour, most of it building; `make aarch64` brings what it needs. Each instruction is emulated (qemu), so this says
# what is done, and nothing about how fast. The binary for this machine is STROWGER_BIN, if that names one.
#
# A program for aarch64 has to start like any other, since strowger starts itself to compile a component. So all of it runs in
# a namespace in which the kernel knows the emulator (binfmt_misc); outside of it nothing changes, and nobody has to be root.
set -euo pipefail
cd "$(dirname "$0")/.."

triple=aarch64-unknown-linux-gnu
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
guests=$(realpath -m "${STROWGER_GUESTS:-target/guests}")
here=$(realpath -m "${STROWGER_BIN:-$target/release/strowger}")
there=$target/$triple/release/strowger
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc

# What says nothing under an emulator, which is too slow for ten thousand histories and for what bounds the time of a guest: a
# strategy has few milliseconds, and a menu microseconds. And it bounds nobody's memory (RLIMIT_DATA), so of what is compiled
# apart only the first test is run.
left_out=(
  bounds::a_tenant_that_computes_too_much_waits
  histories::
  released::a_strategy_of_each_version
  slices::a_guest_that_only_asks
  strategies::a_shipped_strategy_answers
  strategies::settings_that_do_not_fit
)

if [ "${1:-}" != inside ]; then
  [ "$(uname -m)" = x86_64 ] || { echo "this is for an x86-64; on an aarch64 it is make test" >&2; exit 1; }
  [ -x "$here" ] || { echo "$here is missing; make build builds it" >&2; exit 1; }
  cargo build --release --target $triple -p server -p script --bin strowger --test scripts --test apart
  cargo build --release -p tests --test e2e
  unshare --user --map-root-user --mount true || {
    echo "this machine lets nobody make a namespace (sysctl kernel.unprivileged_userns_clone)" >&2
    exit 1
  }
  exec unshare --user --map-root-user --mount "$0" inside
fi

mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc ||
  { echo "a namespace has programs of its own for other processors since Linux 6.7; this is $(uname -r)" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The emulator is told where that processor's libraries are by an argument: whoever starts a program may clear what is set.
printf '#!/bin/sh\nexec %s -L /usr/aarch64-linux-gnu "$@"\n' "$(command -v qemu-aarch64)" >"$work/emulator"
chmod +x "$work/emulator"
# A program of 64 bits, little-endian, of version 1, for any system; executable or with a place of its choice; for aarch64.
printf ':aarch64:M::%s:%s:%s:' '\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00' \
  '\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff' "$work/emulator" \
  >/proc/sys/fs/binfmt_misc/register

echo "== imaginary calls: the same timeline on both"
# Whatever is no time on a processor.
told() { "$@" --at "2026-11-27 23:58" --json | sed -E '/"cpu/d'; }
for call in 'menu --keys 3 --settings {"menu":{"prompts":["hello"],"choices":{"3":{"hand_over":{"script":"strowger/echo"}}}}}' \
  'behave --settings {"does":"reckon"}'; do
  read -r script arguments <<<"$call"
  # shellcheck disable=SC2086 # the arguments of a call have no spaces
  told "$here" call "$guests/$script.wasm" $arguments >"$work/here"
  # shellcheck disable=SC2086
  told "$there" call "$guests/$script.wasm" $arguments >"$work/there"
  cmp "$work/here" "$work/there"
  echo "$script: $(wc -l <"$work/there") lines"
done

export STROWGER_EMULATED=1
echo "== scripts in their sandboxes"
cargo test --release --target $triple -p server -p script --test scripts -- "${left_out[@]/#/--skip=}"
cargo test --release --target $triple -p server -p script --test apart -- what_is_compiled_apart

echo "== telephones that call it, and calls of the one that are played on the other"
STROWGER_BIN=$there cargo test --release -p tests --test e2e -- demo:: --test-threads 1
STROWGER_BIN=$here STROWGER_OTHER_BIN=$there cargo test --release -p tests --test e2e -- processors:: --ignored --nocapture
