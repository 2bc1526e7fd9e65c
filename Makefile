# What README and .ci/run call. Needs rustup, a C compiler and, for the tests, apt.
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)

.PHONY: run guests wasm opus build dist test tools aarch64 bench fuzz fmt bindings

run: build
	$(TARGET)/release/strowger serve

# The components that the binary carries.
guests: wasm
	cargo run --quiet --release -p guest-build -- all

# The standard library that scripts are built with: rustup's, or Debian's.
wasm:
	@tests/install-tools.sh wasm

# libopus is the system's where it has one with headers, and is built with cmake otherwise.
opus:
	@pkg-config --exists opus 2>/dev/null || command -v cmake >/dev/null || tests/install-tools.sh cmake

build: guests opus
	cargo build --release -p server

# What to install where many calls are: target/dist/strowger. Half an hour to build, and a call costs a tenth less.
dist: guests opus
	cargo build --profile dist -p server

tools:
	tests/install-tools.sh

test: tools build
	cargo fmt --all --check
	cargo clippy --release --workspace --exclude fuzz --all-targets -- -D warnings
	cargo test --release --workspace --exclude fuzz

# The exchange on aarch64, built here and run by an emulator beside the one for this machine. Half an hour.
aarch64: tools build
	tests/install-tools.sh aarch64
	tests/aarch64.sh

# CPU time of the server a unit of work, beside Kamailio and rtpengine; what knowing a caller takes; a thousand missed calls
# in a minute. In about ten minutes, when all is built. STROWGER_BIN names another binary, such as that of `make dist`.
bench: build
	tests/install-tools.sh bench
	cargo bench -p protocol --bench parse
	cargo run --quiet --release -p media --example packet_cost
	cargo bench -p exchange --bench announcements
	cargo bench -p exchange --bench expected_wait
	cargo bench -p script --bench sandbox
	cargo bench -p script --bench interruption
	cargo bench -p script --bench strategies
	cargo bench -p script --bench queue_load
	cargo bench -p store --bench commits
	cargo bench -p server --bench look_ups
	STROWGER_FLOOD=1000 cargo test --release -p tests --test e2e every_mail_of_a_flood -- --nocapture
	cargo bench -p tests --bench side_by_side

# One minute over all targets, with libFuzzer, which needs a C++ compiler.
fuzz: guests
	tests/fuzz.sh

# What wit-bindgen writes of wit/ for the C SDK; when wit/ has changed.
bindings:
	cargo run --quiet --release --manifest-path guest-sdk/c/bindings/Cargo.toml

fmt:
	cargo fmt --all
