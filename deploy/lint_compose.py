#!/usr/bin/env python3
"""Checks docker-compose.yml: the program, target/debug/switchboard, accepts the settings of its replicas; every container
is limited; .env.example and docs/deploying.md name its variables; nginx and the settings agree."""

import os
import pathlib
import re
import subprocess
import tempfile

import yaml

TOP = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
COMPOSE = (TOP / "docker-compose.yml").read_text()
# A password with characters that a URL cannot contain.
PASSWORD = "a/b#c?d@e%f:g h"


def interpolate(text, variables):
    """Interpolates like Compose, for the forms in the file."""

    def value(found):
        if found[0] == "$$":
            return "$"
        return variables.get(found[1]) or found[2]

    return re.sub(r"\$\$|\$\{(\w+):-([^}]*)\}", value, str(text))


def environment(service, variables):
    return {name: interpolate(value, variables) for name, value in service.get("environment", {}).items()}


def started(variables):
    """Runs deploy/redis/start.sh; returns its files and the arguments of Redis."""
    folder = tempfile.mkdtemp()
    program = pathlib.Path(folder, "redis-server")
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$SECRETS_FOLDER/arguments"\n')
    program.chmod(0o755)
    path = {"SECRETS_FOLDER": folder, "PATH": f"{folder}:{os.environ['PATH']}"}
    for _ in range(2):
        subprocess.run(["sh", TOP / "deploy/redis/start.sh", "--save", ""], env=variables | path, check=True)
    files = {name: pathlib.Path(folder, name) for name in ("redis-url", "redis-password", "arguments")}
    return {name: file.read_text() for name, file in files.items() if file.exists()}, folder


def check_redis(services):
    """Checks that replicas and Redis have the same URL and password: random, configured, or of another Redis."""
    for given, url in [
        ({}, r"redis://:[A-Za-z0-9]{32}@redis:6379"),
        ({"SWITCHBOARD_REDIS_PASSWORD": PASSWORD}, "redis://redis:6379"),
        ({"SWITCHBOARD_REDIS_URL": "redis://mine:6379"}, "redis://mine:6379"),
        ({"SWITCHBOARD_REDIS_URL": "redis://u:p@mine:6379"}, "redis://u:p@mine:6379"),
        (
            {"SWITCHBOARD_REDIS_URL": "redis://mine", "SWITCHBOARD_REDIS_USERNAME": "u", "SWITCHBOARD_REDIS_PASSWORD": PASSWORD},
            "redis://mine",
        ),
    ]:
        files, folder = started(environment(services["redis"], given))
        assert re.fullmatch(url, files["redis-url"]), files
        password = given.get("SWITCHBOARD_REDIS_PASSWORD") or files["redis-password"]
        assert files["arguments"] == f"--requirepass\n{password}\n--save\n\n", files["arguments"]
        assert len(password) >= 15, password
        for replica in ("switchboard-1", "switchboard-2"):
            variables = environment(services[replica], given)
            assert variables["SWITCHBOARD__REDIS__URL_FILE"] == "/run/switchboard/redis-url"
            variables["SWITCHBOARD__REDIS__URL_FILE"] = f"{folder}/redis-url"
            checked = subprocess.run([TARGET / "debug" / "switchboard", "check"], env=variables, capture_output=True, text=True)
            assert checked.returncode == 0, checked.stderr


def check_defaults(services):
    """Checks secure defaults, and that tracing is configured with and without the profile."""
    variables = environment(services["switchboard-1"], {})
    assert variables["SWITCHBOARD__SERVER__PUBLIC"] == "client", variables
    assert variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://jaeger:4318", variables
    assert "COMPOSE_PROFILES" not in COMPOSE
    assert not re.search(r"(?<!\$)\$\{\w*PASSWORD:-[^}]", COMPOSE), "a default password"
    for name, service in services.items():
        assert service["mem_limit"] and service["pids_limit"] and service["read_only"], name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:") or port.endswith(":8080"), f"{name} publishes {port}"


def check_documented():
    used = set(re.findall(r"(?<!\$)\$\{(\w+):-", COMPOSE))
    example = dict(re.findall(r"^(\w+)=(.*)$", (TOP / ".env.example").read_text(), re.M))
    assert used == example.keys(), used ^ example.keys()
    for name, default in re.findall(r"(?<!\$)\$\{(\w+):-([^}]*)\}", COMPOSE):
        assert example[name] == default, f"{name} is {example[name]} in .env.example, and {default} in docker-compose.yml"
    described = (TOP / "docs" / "deploying.md").read_text()
    missing = {name for name in used if f"`{name}`" not in described}
    assert not missing, f"not in docs/deploying.md: {missing}"


def check_limits(services):
    """Checks that limits in several files are equal."""
    defaults = (TOP / "config" / "default.toml").read_text()
    number = lambda key: int(re.search(rf"^{key} = (\d+)$", defaults, re.M)[1])
    for name in ("switchboard-1", "switchboard-2"):
        grace_period = int(services[name]["stop_grace_period"].removesuffix("s"))
        assert grace_period > number("drain_seconds") + number("shutdown_timeout_seconds"), grace_period
    nginx = (TOP / "deploy" / "nginx" / "nginx.conf").read_text()
    answers = (TOP / "deploy" / "nginx" / "answers.conf").read_text()
    largest = int(re.search(r"client_max_body_size (\d+)m;", nginx)[1]) << 20
    assert largest == number("body_bytes") and f"{largest} bytes" in answers, largest
    assert int(re.search(r"keepalive_timeout (\d+)s;", nginx)[1]) < number("keep_alive_seconds")


def main():
    services = yaml.safe_load(COMPOSE)["services"]
    check_redis(services)
    check_defaults(services)
    check_documented()
    check_limits(services)
    print(f"docker-compose.yml: {len(services)} limited services; settings, variables and nginx are consistent")


main()
