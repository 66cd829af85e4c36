# The README's commands. `make test` is what CI runs.

.PHONY: run test lint docs bench tools-test tools-bench

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

# The table of settings in the README, from config/default.toml.
docs:
	SWITCHBOARD_WRITE_DOCS=1 cargo test --locked --lib the_table_of_settings

# One table: this service beside webdis, and what it takes of memory. Needs wrk too.
bench: tools-bench
	cargo bench --locked --bench service

tools-test:
	@.ci/install redis-server prometheus

tools-bench:
	@.ci/install redis-server wrk webdis
