#!/usr/bin/env python3
"""Checks every expression of the dashboard with promtool, and that dashboard and alerts use metrics of the program
only."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
FILES = TOP / "helm" / "switchboard" / "files"
REGISTRATION = r'(?:register|gauges?|counters?)\((?:\s*(?:&mut )?encoder,)?\s*"(\w+)"'


def expressions(part):
    if isinstance(part, dict):
        if isinstance(part.get("expr"), str):
            yield part["expr"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from expressions(inner)


def without_variables(expression):
    """Replaces variables of Grafana, which are not PromQL."""
    expression = expression.replace("$__rate_interval", "5m")
    return re.sub(r"\$\{?\w+\}?", "x", expression)


def exported_metrics():
    """The names of metrics in the source, of counters without `_total`."""
    sources = (path.read_text() for path in (TOP / "src" / "telemetry").rglob("*.rs"))
    return {name for text in sources for name in re.findall(REGISTRATION, text)}


def main():
    all_expressions = list(expressions(json.loads((FILES / "dashboard.json").read_text())))
    rules = [
        {"record": f"expression:{index}", "expr": without_variables(expression)}
        for index, expression in enumerate(all_expressions)
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
        file.flush()
        checked = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True)
    if checked.returncode or not rules:
        sys.exit(f"invalid expression in the dashboard: {checked.stdout}{checked.stderr}")
    files = ["alerts.yml", "dashboard.json"]
    named = {name for file in files for name in re.findall(r"switchboard_([a-z_]+)", (FILES / file).read_text())}
    named = {re.sub("_(bucket|sum|count|total)$", "", name) for name in named}
    if unknown := named - exported_metrics():
        sys.exit(f"alerts or dashboard use unknown metrics: {', '.join(sorted(unknown))}")
    print(f"{len(rules)} expressions of the dashboard are valid; all {len(named)} metrics in use exist")


main()
