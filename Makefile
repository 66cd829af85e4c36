# The README's commands. `make test` is what CI runs.

.PHONY: run test lint bench tools-test tools-bench

run:
	cargo run --release

# Formatting, lints and docs as errors, then every test. Needs redis-server and promtool (prometheus), and
# installs them.
test: tools-test lint
	cargo test --locked

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# One table: this service beside webdis, and what it takes of memory. Needs wrk too.
bench: tools-bench
	cargo bench --locked --bench service

tools-test:
	@.ci/install redis-server prometheus

tools-bench:
	@.ci/install redis-server wrk webdis
