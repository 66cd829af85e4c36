#!/usr/bin/env python3
"""Checks of alerts beyond promtool: every alert has a section in docs/runbook.md and links to it, and the chart can
change its threshold."""

import pathlib
import re
import sys

import yaml

TOP = pathlib.Path(__file__).resolve().parent.parent
ALERTS = TOP / "helm" / "switchboard" / "files" / "alerts.yml"
RUNBOOK = TOP / "docs" / "runbook.md"
SEVERITIES = {"critical", "warning", "info"}


def faults(rule, sections):
    name, annotations = rule["alert"], rule["annotations"]
    if name not in sections:
        yield f"docs/runbook.md has no section '## {name}'"
    if annotations.get("runbook_url") != f"docs/runbook.md#{name.lower()}":
        yield f"runbook_url must be docs/runbook.md#{name.lower()}"
    if rule["labels"].get("severity") not in SEVERITIES:
        yield f"severity must be one of {', '.join(sorted(SEVERITIES))}"
    if (threshold := annotations.get("threshold")) is not None:
        # The first pattern is the one that the chart replaces, the second one the intended match.
        for end in (r"\b", r"(?![\w.])"):
            found = re.findall(rf"[<>]=? {re.escape(threshold)}{end}", rule["expr"])
            if len(found) != 1:
                yield f"the expression compares with the threshold {threshold} {len(found)} times instead of once"


def main():
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    sections = re.findall(r"^## (Switchboard\w+)$", RUNBOOK.read_text(), re.M)
    found = [f"{rule['alert']}: {fault}" for rule in rules for fault in faults(rule, sections)]
    found += [f"docs/runbook.md: there is no alert {name}" for name in sections if name not in {r["alert"] for r in rules}]
    if found:
        sys.exit("\n".join(found))
    print(f"all {len(rules)} alerts have a section in docs/runbook.md")


main()
