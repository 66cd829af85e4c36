"""Renders the chart with Helm's own engine, for the checks in deploy/lint_*.py."""

import json
import os
import pathlib

import helm_python as helm
import yaml
from helm_python import _native

TOP = pathlib.Path(__file__).resolve().parent.parent
CHART = TOP / "helm" / "switchboard"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
SCRATCH = TOP / "target" / "deploy-chart"

API_VERSIONS = ["monitoring.coreos.com/v1", "gateway.networking.k8s.io/v1"]


def render(values, kubernetes="1.30", api_versions=API_VERSIONS, release="sb"):
    """The objects that the chart makes of `values`, and its notes."""
    chart = helm.Chart.load(CHART)
    options = {"name": release, "namespace": "demo", "kube_version": f"v{kubernetes}.0", "api_versions": api_versions}
    made = json.loads(_native.call_string("helm_render", chart._raw(), json.dumps(values), json.dumps(options)))
    notes = "".join(text for name, text in made.items() if name.endswith("NOTES.txt"))
    texts = [text for name, text in made.items() if not name.endswith("NOTES.txt")]
    return [resource for text in texts for resource in yaml.safe_load_all(text) if resource], notes


def of_kind(resources, kind, name=None):
    return [r for r in resources if r["kind"] == kind and name in (None, r["metadata"]["name"])]


def pods(resources):
    """Names and pods, or templates of pods."""
    for resource in resources:
        if resource["kind"] in ("Deployment", "StatefulSet"):
            yield resource["metadata"]["name"], resource["spec"]["template"]
        if resource["kind"] == "Pod":
            yield resource["metadata"]["name"], resource


def container(resources, kind="Deployment"):
    """The first container of the only object of that kind."""
    (found,) = of_kind(resources, kind)
    return found["spec"]["template"]["spec"]["containers"][0]
