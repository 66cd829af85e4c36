# Commands of development. CI runs `make test`.

.PHONY: run check test lint lint-deploy check-deploy check-java api docs pictures bench tools-test tools-bench

# Most tests wait for servers, so twice as many as there are cores run at a time.
TEST_THREADS ?= $(shell echo $$((2 * $$(nproc))))

run:
	cargo run --release

# The quick check while working: formatting, clippy, unit tests, the checks of structure, and the APIs on the embedded
# store and one Redis.
check:
	@.ci/install redis-server
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo test --locked --lib --quiet
	cargo test --locked --test it --quiet -- api:: code:: --skip on_cluster --skip on_sentinel --test-threads=$(TEST_THREADS)

# Formatting, lints, docs, deployment files and the OpenAPI description, with warnings as errors, then all tests.
# Needs redis-server, promtool (prometheus), python3, curl, openssl, chromium, chromedriver, node and npm. Installs those
# that are missing with apt-get, and says so first.
test: tools-test lint lint-deploy api
	cargo test --locked -- --test-threads=$(TEST_THREADS)

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# Tests the service against /openapi.json with schemathesis and all its checks, as a client and as an operator. Lints the
# description with redocly and spectral, and uses the clients that openapi-typescript and openapi-python-client generate;
# about a minute.
api: tools-test
	.ci/api

# The table of settings in docs/configuration.md, from config/default.toml, and those of options in docs/catalog.md,
# from src/service/options.
docs:
	SWITCHBOARD_WRITE_DOCS=1 cargo test --locked --lib -- the_table_of_settings the_tables_of_options

# The screenshots of the console in docs/pages.
pictures: tools-test
	SWITCHBOARD_WRITE_DOCS=1 cargo test --locked --test it -- ui::browser::on_two_replicas ui::overview ui::match_explanation \
		a_customer_and_an_agent_talk an_operator_tests_resumes

# Checks chart, alerts, dashboard, Dockerfile and scripts, without a container engine or a cluster.
lint-deploy:
	deploy/lint

# Builds the image, runs docker-compose.yml, kills a replica under load. Needs Docker.
check-deploy:
	deploy/check

# 10,000 creates with the JDK's HTTP client, directly and through nginx; none may fail. Installs both.
check-java:
	deploy/check_java

# The benchmark, compared with webdis, nginx with Lua, and fastify. Needs wrk.
bench: tools-bench
	cargo bench --locked --bench service

tools-test:
	@.ci/install redis-server prometheus python3 curl openssl chromium chromedriver=chromium-driver node=nodejs npm

# Without nginx, node and oha the benchmark says that they are not installed.
tools-bench:
	@.ci/install redis-server wrk webdis
	-@.ci/install /usr/lib/nginx/modules/ngx_http_lua_module.so=libnginx-mod-http-lua \
	  /usr/share/lua/5.1/nginx/redis.lua=lua-nginx-redis /usr/share/lua/5.1/cjson/util.lua=lua-cjson node=nodejs npm
	-@benches/peers/install
