#!/usr/bin/env bash
# Installs what the tests (and with "bench", the side-by-side benches) need beside Rust and a C compiler:
# Debian's sipp, baresip, linphone, Chromium, Kamailio, Kannel, opus-tools, sox, espeak-ng and Python, and PyPI's pjsua2,
# opentelemetry-proto, aiosmtpd, pyarrow, standardwebhooks and Tryton in environments of their own under the cache folder;
# and the tools that make components of scripts in JavaScript, Python and C, each in a folder of its own version.
# Does nothing, quickly, where all of it is there. With "cmake" it installs that alone, with "wasm" the standard library
# that scripts are built with, with "aarch64" what builds the exchange for that processor and emulates it.
set -euo pipefail

cache=${STROWGER_CACHE:-$HOME/.cache/strowger}
phones=$cache/phones
pjsua2="pjsua2-python==2.15.1"
# Reads traces as any collector would.
otlp="opentelemetry-proto==1.45.2"

# Each line: a command, and the Debian package that has it.
wanted="cmake cmake
sipp sip-tester
baresip baresip-core
stdbuf coreutils
unshare util-linux
ip iproute2
nft nftables
svcrack sipvicious
kamailio kamailio
/usr/lib/x86_64-linux-gnu/kamailio/modules/tls.so kamailio-tls-modules
linphonec linphone-cli
openssl openssl
opusdec opus-tools
soxi sox
espeak-ng espeak-ng
curl curl
dnsmasq dnsmasq-base
node nodejs
npm npm
clang clang
chromium chromium
wasm-ld lld
/usr/lib/kannel/test/drive_smpp kannel-extras"
[ "${1:-}" = cmake ] && wanted="cmake cmake"
if [ "${1:-}" = wasm ]; then
  # rustup's is the normal way. Where it can't be had, guest-build makes one of the source that Debian's compiler has.
  wasm=wasm32-unknown-unknown
  compgen -G "$(rustc --print target-libdir --target $wasm)/libstd-*" >/dev/null && exit
  echo "installing Rust's standard library for $wasm"
  rustup target add $wasm && exit
  wanted="/usr/bin/cargo cargo-web
/usr/bin/rustc rustc-web
/usr/lib/rustlib/src/rust rust-web-src
wasm-ld lld"
fi
if [ "${1:-}" = aarch64 ]; then
  wanted="cmake cmake
unshare util-linux
aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
/usr/aarch64-linux-gnu/include/stdlib.h libc6-dev-arm64-cross
qemu-aarch64 qemu-user"
  aarch64=aarch64-unknown-linux-gnu
  compgen -G "$(rustc --print target-libdir --target $aarch64)/libstd-*" >/dev/null || rustup target add $aarch64
fi
if [ "${1:-}" = bench ]; then
  wanted="$wanted
rtpengine rtpengine-daemon"
fi

packages=()
while read -r program package; do
  command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] || [ -e "$program" ] || packages+=("$package")
done <<<"$wanted"

if [[ "${1:-}" != @(cmake|wasm|aarch64) ]]; then
  [ -e /usr/include/wasm32-wasi/stdlib.h ] || packages+=(wasi-libc)
  compgen -G "/usr/lib/llvm-*/lib/clang/*/lib/wasi/libclang_rt.builtins-wasm32.a" >/dev/null ||
    packages+=(libclang-rt-14-dev-wasm32)
  python3 -c "import ensurepip, venv" 2>/dev/null || packages+=(python3 python3-venv)
fi

if [ ${#packages[@]} -gt 0 ]; then
  echo "installing ${packages[*]}"
  root=""
  [ "$(id -u)" = 0 ] || root=sudo
  $root apt-get update -qq
  # No service of these packages is to start here: runlevel 1 tells invoke-rc.d so.
  $root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

[[ "${1:-}" == @(cmake|wasm|aarch64) ]] && exit

has_pjsua2() { "$phones/bin/python" -c "import pjsua2" 2>/dev/null; }
if ! has_pjsua2; then
  echo "installing $pjsua2 into $phones"
  mkdir -p "$cache"
  python3 -m venv --clear "$phones"
  "$phones/bin/python" -m pip install --quiet --disable-pip-version-check "$pjsua2"
  has_pjsua2 || { echo "$pjsua2 does not load in $phones" >&2; exit 1; }
fi

# What notices are delivered to in tests, in an environment of its own: a mail server, and the library that checks webhooks.
outside=$cache/outside
has_outside() { "$outside/bin/python" -c "import aiosmtpd, pyarrow.parquet, standardwebhooks" 2>/dev/null; }
if ! has_outside; then
  echo "installing aiosmtpd, pyarrow and standardwebhooks into $outside"
  python3 -m venv --clear "$outside"
  "$outside/bin/python" -m pip install --quiet --disable-pip-version-check aiosmtpd==1.4.6 pyarrow==26.0.1 \
    standardwebhooks==1.0.1
  has_outside || { echo "aiosmtpd, pyarrow and standardwebhooks do not load in $outside" >&2; exit 1; }
fi

# A CRM that others made, and a small company in it.
tryton=$cache/tryton
tryton_made=$tryton/made-8.2.1-1
if [ ! -e "$tryton_made" ]; then
  echo "installing Tryton into $tryton"
  python3 -m venv --clear "$tryton"
  "$tryton/bin/python" -m pip install --quiet --disable-pip-version-check trytond==8.2.1 trytond_party==8.2.0 \
    trytond_sale_opportunity==8.2.0 trytond_project==8.2.0 phonenumbers==9.0.43
  "$tryton/bin/python" "$(dirname "$0")/e2e/tryton.py" make "$tryton/crm.sqlite"
  touch "$tryton_made"
fi

if ! "$phones/bin/python" -c "import opentelemetry.proto.collector.trace.v1.trace_service_pb2" 2>/dev/null; then
  echo "installing $otlp into $phones"
  "$phones/bin/python" -m pip install --quiet --disable-pip-version-check "$otlp"
fi

# A browser's telephone without the browser.
jssip=3.13.8
if ! grep -qs "\"version\": \"$jssip\"" "$cache/jssip/node_modules/jssip/package.json"; then
  echo "installing jssip $jssip into $cache/jssip"
  mkdir -p "$cache/jssip"
  npm install --silent --no-audit --no-fund --prefix "$cache/jssip" "jssip@$jssip"
fi

# The folders where `strowger script build` looks; the versions stand in guest-sdk/build/tools.txt and nowhere else.
while read -r registry package version program; do
  folder=$cache/languages/$package-$version
  case $registry in
  npm)
    [ -e "$folder/node_modules/.bin/${program:-$package}" ] && continue
    echo "installing $package $version into $folder"
    mkdir -p "$folder"
    npm install --silent --no-audit --no-fund --prefix "$folder" "$package@$version"
    ;;
  pypi)
    [ -x "$folder/bin/$package" ] && continue
    echo "installing $package $version into $folder"
    python3 -m venv --clear "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$package==$version"
    ;;
  esac
done < <(grep -v '^#' "$(dirname "$0")/../guest-sdk/build/tools.txt")

# rustup's minimal profile leaves these two out.
cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
