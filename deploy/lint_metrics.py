#!/usr/bin/env python3
"""Has promtool read every expression of the dashboard, and looks whether it and the alerts name metrics that the
program tells."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
FILES = TOP / "helm" / "switchboard" / "files"


def expressions(part):
    if isinstance(part, dict):
        if isinstance(part.get("expr"), str):
            yield part["expr"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from expressions(inner)


def without_variables(expression):
    """Grafana's variables are no PromQL."""
    expression = expression.replace("$__rate_interval", "5m")
    return re.sub(r"\$\{?\w+\}?", "x", expression)


def told():
    """The names of metrics, as the source writes them."""
    sources = (path.read_text() for path in (TOP / "src" / "telemetry").rglob("*.rs"))
    return {name for text in sources for name in re.findall(r'(?:gauge|counter|histogram)\(\s*"(\w+)"', text)}


def main():
    all_of_them = list(expressions(json.loads((FILES / "dashboard.json").read_text())))
    rules = [
        {"record": f"expression:{at}", "expr": without_variables(expression)}
        for at, expression in enumerate(all_of_them)
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
        file.flush()
        checked = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True)
    if checked.returncode or not rules:
        sys.exit(f"an expression of the dashboard is none: {checked.stdout}{checked.stderr}")
    files = ["alerts.yml", "dashboard.json"]
    named = {name for file in files for name in re.findall(r"switchboard_([a-z_]+)", (FILES / file).read_text())}
    named = {re.sub("_(bucket|sum|count)$", "", name) for name in named}
    if unknown := named - told():
        sys.exit(f"alerts or dashboard name metrics that the program does not tell: {', '.join(sorted(unknown))}")
    print(f"{len(rules)} expressions of the dashboard are in order; the program tells all {len(named)} metrics named")


main()
