#!/usr/bin/env python3
"""Validates the objects that the chart renders for the value sets in helm/switchboard/ci and values-*.yaml: against the
schemas of Kubernetes and the Prometheus operator, and for consistency with each other. The program,
target/debug/switchboard, must accept the settings of the container."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import helm_python as helm
import kubernetes_validate
import yaml
from chart import CHART, SCRATCH, TARGET, container, of_kind, pods, render
from cloudcoil.models.prometheus_operator import v1 as monitoring

# The oldest supported version, the oldest with all features of the chart, and the newest with schemas.
KUBERNETES = ["1.27", "1.30", "1.37"]
OPERATORS = {"ServiceMonitor": monitoring.ServiceMonitor, "PrometheusRule": monitoring.PrometheusRule}
# Values of Secrets that are not of the chart, with characters that a URL cannot contain.
EXTERNAL_SECRETS = {
    "SWITCHBOARD__REDIS__URL": "redis://external:26379",
    "SWITCHBOARD__AUTH__PASSWORD": "a/b#c?d@e%f:g h",
    "redis-password": "a/b#c?d@e%f:g h",
    "sentinel-password": "a/b#c?d@e%f:g h",
}
# Words that must be in Secrets only, by value set.
SECRET = {
    "cluster-tls": ["s/e#c?ret", "s/o#c?ret", "Bearer 123", "one,two"],
    "autoscaling": ["secret@", "sesame", "operators-only"],
    "external-redis": ["quo"],
    "ipv6": ["own-password"],
}
# Maximum length of names; 63 for all other kinds.
MAX_NAME = {"StatefulSet": 52}


def validate(resource, kubernetes):
    """Raises if Kubernetes or an operator would not accept `resource`."""
    kind = resource["kind"]
    if kind in OPERATORS:
        # The model ignores unknown fields, so the result must equal the input.
        read = OPERATORS[kind].model_validate(resource)
        again = read.model_dump(by_alias=True, exclude_unset=True, mode="json")
        assert again == json.loads(json.dumps(resource)), f"{kind} has fields that the operator does not have"
    elif kind not in ("HTTPRoute", "Route"):
        kubernetes_validate.validate(resource, kubernetes, strict=True)


def check_together(resources):
    """Checks consistency between the objects, which schemas do not cover."""
    for resource in resources:
        name = resource["metadata"]["name"]
        pattern = "[a-z]([-a-z0-9]*[a-z0-9])?" if resource["kind"] == "Service" else "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
        assert re.fullmatch(pattern, name) and len(name) <= MAX_NAME.get(resource["kind"], 63), name
    for kind in ("Deployment", "StatefulSet"):
        for resource in of_kind(resources, kind):
            labels = resource["spec"]["template"]["metadata"]["labels"]
            assert resource["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for name, pod in pods(resources):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        for container in spec["containers"]:
            names = [variable["name"] for variable in container.get("env", [])]
            assert len(names) == len(set(names)), f"{name} has a duplicate variable: {names}"
            assert container["resources"]["limits"]["memory"], name
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"], name
            assert context["capabilities"]["drop"] == ["ALL"], name
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            volumes = {volume["name"] for volume in spec.get("volumes", [])}
            assert mounted <= volumes, name
    ports = {
        port["name"]: container
        for _, pod in pods(resources)
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
    }
    for service in of_kind(resources, "Service"):
        selected = [pod for _, pod in pods(resources) if service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()]
        assert len(selected) == 1, f"Service {service['metadata']['name']} selects {len(selected)} kinds of pods"
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports, port
    for policy in of_kind(resources, "NetworkPolicy"):
        for rule in policy["spec"]["ingress"]:
            assert all(port["port"] in ports for port in rule["ports"]), policy["metadata"]["name"]
    for monitor in of_kind(resources, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (watched,) = (s for s in of_kind(resources, "Service") if wanted <= s["metadata"]["labels"].items())
        there = {port["name"] for port in watched["spec"]["ports"]}
        assert there == {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]}, there


def check_secrets(name, resources):
    for word in SECRET.get(name, []):
        where = {resource["kind"] for resource in resources if word in json.dumps(resource)}
        assert where == {"Secret"}, f"{word} is in {where}"


def environment(container, resources):
    """The environment variables of a container."""
    secrets = {s["metadata"]["name"]: s["stringData"] for s in of_kind(resources, "Secret")}
    made = {}
    for source in container.get("envFrom", []):
        made |= secrets.get(source["secretRef"]["name"], EXTERNAL_SECRETS)
    for variable in container["env"]:
        if "value" in variable:
            made[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda found: made[found[1]], variable["value"])
        elif key := variable["valueFrom"].get("secretKeyRef"):
            made[variable["name"]] = secrets.get(key["name"], EXTERNAL_SECRETS)[key["key"]]
        else:
            made[variable["name"]] = "pod"
    return made


def accepts(variables, *arguments):
    program = TARGET / "debug" / "switchboard"
    checked = subprocess.run([program, *arguments, "check"], env=variables, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def check_settings(name, resources):
    """Checks that the program accepts its settings, without unknown ones."""
    (deployment,) = of_kind(resources, "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    container = spec["containers"][0]
    folder = SCRATCH / name
    shutil.rmtree(folder, ignore_errors=True)
    for volume in spec["volumes"]:
        place = folder / volume["name"]
        place.mkdir(parents=True)
        if made := of_kind(resources, "ConfigMap", volume.get("configMap", {}).get("name", "")):
            files = made[0]["data"]
        elif made := of_kind(resources, "Secret", volume.get("secret", {}).get("secretName", "")):
            files = made[0]["stringData"]
        elif volume["name"] == "catalog":
            files = {"catalog.toml": '[services.cart]\n_type = "builtin"\n_service = "store"\n'}
        elif volume["name"] not in ("tls", "redis-tls"):
            continue
        else:
            certificate = (SCRATCH / "tls.crt").read_text()
            files = {"ca.crt": certificate, "tls.crt": certificate, "tls.key": (SCRATCH / "tls.key").read_text()}
        for file, text in files.items():
            (place / file).write_text(text.replace("/etc/switchboard/", f"{folder}/"))
    settings = folder / "settings" / "settings.toml"
    assert container["args"] == ["--config", "/etc/switchboard/settings/settings.toml"]
    accepts(environment(container, resources), "--config", settings)
    # The grace period covers the graceful shutdown.
    seconds = {key: int(re.search(rf"{key} = (\d+)", settings.read_text())[1]) for key in ("drain_seconds", "shutdown_timeout_seconds")}
    assert spec["terminationGracePeriodSeconds"] > sum(seconds.values()), seconds


def check_sets():
    sets = [*sorted((CHART / "ci").glob("*.yaml")), *sorted(CHART.glob("values-*.yaml"))]
    for path in sets:
        values = yaml.safe_load(path.read_text())
        linted = helm.lint(CHART, values, strict=True, kube_version="v1.30.0")
        messages = [message for message in linted["messages"] if "icon is recommended" not in json.dumps(message)]
        assert not messages, f"{path.name}: {messages}"
        for kubernetes in KUBERNETES:
            if "preStopSleepSeconds" in values and kubernetes == "1.27":
                continue
            resources, _ = render(values, kubernetes)
            for resource in resources:
                try:
                    validate(resource, kubernetes)
                except Exception as error:
                    sys.exit(f"{path.name}, Kubernetes {kubernetes}, {resource['kind']}: {error!r} {error}")
        resources, notes = render(values)
        assert "/genesys/1/service/" in notes, notes
        check_together(resources)
        check_secrets(path.stem, resources)
        check_settings(path.stem, resources)
        for route in of_kind(resources, "HTTPRoute"):
            (SCRATCH / "httproute.json").write_text(json.dumps(route))
        kinds = sorted(resource["kind"] for resource in resources)
        print(f"  {path.stem}: {', '.join(kinds)}")
    print(f"the chart: {len(sets)} value sets are valid for Kubernetes {', '.join(KUBERNETES)}")


def check_alerts():
    """Checks that single alerts can be disabled and changed without an effect on the others."""
    groups = yaml.safe_load((CHART / "files" / "alerts.yml").read_text())["groups"]
    expected = {rule["alert"]: rule for group in groups for rule in group["rules"]}
    changes = {
        "SwitchboardLogLinesDropped": {"enabled": False},
        "SwitchboardErrors": {"threshold": 0.2, "for": "10m", "severity": "critical", "labels": {"page": "yes"}},
        "SwitchboardStoreBacklog": {"threshold": 2000000},
    }
    wanted = {"enabled": True, "alerts": changes, "alertLabels": {"team": "x"}, "runbookUrl": "https://wiki/runbook"}
    (rule,) = of_kind(render({"monitoring": {"prometheusRule": wanted}})[0], "PrometheusRule")
    made = {rule["alert"]: rule for group in rule["spec"]["groups"] for rule in group["rules"]}
    del expected["SwitchboardLogLinesDropped"]
    for name, alert in expected.items():
        alert["labels"]["team"] = "x"
        alert["annotations"]["runbook_url"] = f"https://wiki/runbook#{name.lower()}"
    for name, old, new in [("SwitchboardErrors", "> 0.05", "> 0.2"), ("SwitchboardStoreBacklog", "> 500", "> 2e+06")]:
        expected[name]["expr"] = expected[name]["expr"].replace(old, new)
        expected[name]["annotations"]["threshold"] = str(new[2:])
    expected["SwitchboardErrors"]["for"] = "10m"
    expected["SwitchboardErrors"]["labels"] |= {"severity": "critical", "page": "yes"}
    assert made == expected, [(made.get(name), alert) for name, alert in expected.items() if made.get(name) != alert]
    file = SCRATCH / "alerts.yml"
    file.write_text(yaml.safe_dump(rule["spec"]))
    subprocess.run(["promtool", "check", "rules", file], check=True, capture_output=True)
    print(f"the chart: alerts can be disabled and changed one by one ({len(made)} rules)")


def check_names():
    """Checks the length of names, and that releases whose names differ only at the end have different objects."""
    for release in ("sb", "switchboard", "s" * 47, "s" * 53, "s" * 36 + "-" + "s" * 15):
        resources, _ = render({"monitoring": {"dashboard": {"enabled": True}}}, release=release)
        check_together(resources)
        for resource in resources:
            kubernetes_validate.validate(resource, "1.30", strict=True)
    for values in ({"fullnameOverride": "x" * 60}, {"nameOverride": "gateway"}, {"fullnameOverride": "s-1"}):
        check_together(render(values)[0])
    one, other = ({r["metadata"]["name"] for r in render({}, release="s" * 52 + end)[0]} for end in "ab")
    assert not one & other, one & other
    print("the chart: names are valid for long and short releases")


def check_openshift():
    """Checks that no user and group is requested if the platform assigns them."""
    resources, _ = render(yaml.safe_load((CHART / "values-openshift.yaml").read_text()))
    for word in ("runAsUser", "runAsGroup", "fsGroup"):
        assert word not in json.dumps(resources), word
    print("the chart: on OpenShift no user and group is requested")


def check_budgets():
    """Checks that budgets that allow an eviction are rendered."""
    for replicas, most, least in [(1, 1, ""), (1, "1%", ""), (2, "", "50%"), (3, "", "66%"), (10, "", "90%"), (2, "", 1), (2, "", 0)]:
        budget = {"maxUnavailable": most, "minAvailable": least}
        resources, _ = render({"replicaCount": replicas, "podDisruptionBudget": budget})
        (made,) = of_kind(resources, "PodDisruptionBudget")
        value = {"minAvailable": least} if least != "" else {"maxUnavailable": most}
        assert value.items() <= made["spec"].items(), made["spec"]
    print("the chart: budgets that allow evictions are accepted")


def check_strategies():
    """Checks that the strategy can be changed, and that it is always Recreate without Redis."""
    for values, expected in [
        ({}, {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}),
        ({"updateStrategy": {"type": "Recreate", "rollingUpdate": None}}, {"type": "Recreate"}),
        ({"redis": {"kind": "embedded"}, "replicaCount": 1}, {"type": "Recreate"}),
    ]:
        resources, _ = render(values)
        check_together(resources)
        (deployment,) = of_kind(resources, "Deployment")
        assert deployment["spec"]["strategy"] == expected, deployment["spec"]["strategy"]
    print("the chart: update strategies are as configured")


def check_extensions():
    """Checks that common labels and annotations are on every object, and annotations of the Deployment on it alone."""
    values = yaml.safe_load((CHART / "ci" / "extended.yaml").read_text())
    resources, _ = render(values)
    for resource in resources:
        if resource["metadata"]["name"] == "sb-more":
            assert resource["metadata"]["namespace"] == "demo", resource
            continue
        metadata = resource["metadata"]
        assert metadata["labels"]["team"] == "contact-center", metadata
        assert metadata["annotations"]["example.com/owner"] == "contact center", metadata
        reloaded = "reloader.stakater.com/auto" in metadata["annotations"]
        assert reloaded == (resource["kind"] == "Deployment"), metadata
    for name, pod in pods(resources):
        assert pod["metadata"]["labels"]["team"] == "contact-center", name
    print("the chart: common labels and annotations are on every object")


def check_attributes():
    """Checks that resource attributes of extraEnv are merged with those of the chart and take precedence."""
    tracing = {"endpoint": "http://collector:4318"}
    for extra, expected in [
        (None, "service.instance.id=$(K8S_POD_NAME),k8s.pod.name=$(K8S_POD_NAME),k8s.namespace.name=demo"),
        ({"value": "team=a,service.instance.id=x,"}, "k8s.pod.name=$(K8S_POD_NAME),k8s.namespace.name=demo,team=a,service.instance.id=x"),
        (
            {"valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}},
            "service.instance.id=$(K8S_POD_NAME),k8s.pod.name=$(K8S_POD_NAME),k8s.namespace.name=demo,$(EXTRA_RESOURCE_ATTRIBUTES)",
        ),
    ]:
        given = [{"name": "OTEL_TRACES_SAMPLER", "value": "always_on"}]
        given += [{"name": "OTEL_RESOURCE_ATTRIBUTES", **extra}] if extra else []
        resources, _ = render({"tracing": tracing, "extraEnv": given})
        check_together(resources)
        variables = {v["name"]: v.get("value") for v in container(resources)["env"]}
        assert variables["OTEL_RESOURCE_ATTRIBUTES"] == expected, variables
        assert variables["OTEL_TRACES_SAMPLER"] == "always_on", variables
    only = [{"name": "OTEL_RESOURCE_ATTRIBUTES", "value": "team=a"}]
    variables = {v["name"]: v.get("value") for v in container(render({"extraEnv": only})[0])["env"]}
    assert variables["OTEL_RESOURCE_ATTRIBUTES"] == "team=a", variables
    print("the chart: resource attributes of extraEnv are merged")


def check_private():
    """Checks that match-interaction and the admin API are on the private port only, and that the notes have its URL."""
    resources, notes = render({})
    assert 'public = "client"' in of_kind(resources, "ConfigMap")[0]["data"]["settings.toml"]
    assert "sb-switchboard-private.demo:8081/genesys/1/service/match-interaction" in notes, notes
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container(resources)[probe]["httpGet"]["port"] == "private", probe
    resources, _ = render({"probes": {"requireRedis": False}})
    assert container(resources)["readinessProbe"]["httpGet"]["path"] == "/livez"
    print("the chart: match-interaction is private, and readiness depends on Redis only if it should")


def check_own_redis():
    """Checks that the own Redis gets the password without the line feed at the end of its Secret, as Switchboard does."""
    resources, _ = render({"redis": {"kind": "own", "own": {"existingSecret": "mine"}}})
    args = container(resources, "StatefulSet")["args"]
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder, "redis-server")
        program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        program.chmod(0o755)
        for secret in ("a/b#c $d", "a/b#c $d\n"):
            variables = {"PATH": f"{folder}:{os.environ['PATH']}", "REDIS_PASSWORD": secret}
            started = subprocess.run(args, env=variables, check=True, capture_output=True, text=True)
            assert started.stdout.startswith("--requirepass\na/b#c $d\n--dir\n/data\n"), started.stdout
    print("the chart: the own Redis has the password that Switchboard sends")


def check_operators_absent():
    """Checks that without the CRDs of the operator no objects of them are made, with a hint in the notes."""
    wanted = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
    resources, notes = render({"monitoring": wanted}, api_versions=[])
    assert not any(resource["kind"] in OPERATORS for resource in resources)
    assert "does not have monitoring.coreos.com/v1" in notes, notes
    print("the chart: no objects of an operator that is not installed, with a hint in the notes")


def main():
    SCRATCH.mkdir(parents=True, exist_ok=True)
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=redis"
    files = ["-keyout", SCRATCH / "tls.key", "-out", SCRATCH / "tls.crt"]
    subprocess.run(["openssl", *request.split(), *files], check=True, capture_output=True)
    check_sets()
    check_names()
    check_openshift()
    check_budgets()
    check_strategies()
    check_extensions()
    check_attributes()
    check_private()
    check_own_redis()
    check_alerts()
    check_operators_absent()


main()
