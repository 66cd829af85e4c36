# The README's commands. `make test` is what CI runs.

.PHONY: run test lint api docs bench tools-test tools-bench

run:
	cargo run --release

# Formatting, lints and docs as errors, the service against its own description, then every test. Needs
# redis-server and python3, and installs them.
test: tools-test lint api
	cargo test --locked

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# Whether the service answers as /openapi.json says: schemathesis, with all its checks, in a minute or so.
api: tools-test
	.ci/api

# The table of settings in the README, from config/default.toml.
docs:
	SWITCHBOARD_WRITE_DOCS=1 cargo test --locked --lib the_table_of_settings

# One table: this service beside webdis, and what it takes of memory. Needs wrk too.
bench: tools-bench
	cargo bench --locked --bench service

tools-test:
	@.ci/install redis-server python3

tools-bench:
	@.ci/install redis-server wrk webdis
