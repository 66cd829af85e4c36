# The README's commands. `make test` is what CI runs.

.PHONY: run test lint lint-deploy check-deploy docs bench tools-test tools-bench

run:
	cargo run --release

# Formatting, lints, docs and what is deployed with, then every test. Needs redis-server and promtool
# (prometheus), and installs them.
test: tools-test lint lint-deploy
	cargo test --locked

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# The table of settings in the README, from config/default.toml.
docs:
	SWITCHBOARD_WRITE_DOCS=1 cargo test --locked --lib the_table_of_settings

# The chart, alerts, dashboard, Dockerfile and scripts, without an engine or a cluster.
lint-deploy:
	deploy/lint

# The image built, docker-compose.yml up, a replica killed under load, everything down. Needs Docker.
check-deploy:
	deploy/check

# One table: this service beside webdis, and what it takes of memory. Needs wrk too.
bench: tools-bench
	cargo bench --locked --bench service

tools-test:
	@.ci/install redis-server prometheus

tools-bench:
	@.ci/install redis-server wrk webdis
