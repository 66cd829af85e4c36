# The README's commands. `make test` is what CI runs.

.PHONY: run test lint lint-deploy check-deploy check-java api docs pictures bench tools-test tools-bench

run:
	cargo run --release

# Formatting, lints, docs, what is deployed with, and the service against its own description, all as errors,
# then every test. Needs redis-server, promtool (prometheus), python3, curl, chromium and chromedriver, and
# installs them.
test: tools-test lint lint-deploy api
	cargo test --locked

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# Whether the service answers as /openapi.json says: schemathesis, with all its checks, in a minute or so, as
# a client and as an operator.
api: tools-test
	.ci/api

# The table of settings in docs/configuration.md, from config/default.toml, and those of options in docs/catalog.md,
# from src/service/schema.
docs:
	SWITCHBOARD_WRITE_DOCS=1 cargo test --locked --lib -- the_table_of_settings the_tables_of_options

# The pictures in docs/pages, of every page of the administration.
pictures: tools-test
	SWITCHBOARD_WRITE_DOCS=1 cargo test --locked --test it pages::browser::on_two_replicas

# The chart, alerts, dashboard, Dockerfile and scripts, without an engine or a cluster.
lint-deploy:
	deploy/lint

# The image built, docker-compose.yml up, a replica killed under load, everything down. Needs Docker.
check-deploy:
	deploy/check

# 10,000 creates with the JDK's HTTP client, directly and through nginx, none of which may fail. Installs both.
check-java:
	deploy/check_java

# One table: this service beside webdis, and what it takes of memory. Needs wrk too.
bench: tools-bench
	cargo bench --locked --bench service

tools-test:
	@.ci/install redis-server prometheus python3 curl openssl chromium chromedriver=chromium-driver

tools-bench:
	@.ci/install redis-server wrk webdis
