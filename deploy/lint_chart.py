#!/usr/bin/env python3
"""Checks the chart with Helm's own engine and the schemas of Kubernetes: what it renders for the value sets in
helm/switchboard/ci, and what it refuses. The program, target/debug/switchboard, must accept the settings that a
container would have, of the chart and of docker-compose.yml."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import helm_python as helm
import kubernetes_validate
import yaml
from cloudcoil.models.prometheus_operator import v1 as monitoring
from helm_python import _native

TOP = pathlib.Path(__file__).resolve().parent.parent
CHART = TOP / "helm" / "switchboard"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
SCRATCH = TOP / "target" / "deploy-chart"

# The oldest that the chart takes, the oldest for which it has everything, and the newest there are schemas for.
KUBERNETES = ["1.27", "1.30", "1.37"]
OPERATORS = {"ServiceMonitor": monitoring.ServiceMonitor, "PrometheusRule": monitoring.PrometheusRule}
API_VERSIONS = ["monitoring.coreos.com/v1", "gateway.networking.k8s.io/v1"]
# What stands in for a Secret that is not of the chart.
ELSEWHERE = {
    "SWITCHBOARD__REDIS__URL": "redis://elsewhere:6379",
    "SWITCHBOARD__AUTH__PASSWORD": "secret",
    "redis-password": "secret",
}
# In which value sets which words may stand in Secrets only.
SECRET = {"cluster-tls": ["secret@", "Bearer 123", "one,two"], "autoscaling": ["secret@", "sesame", "operators-only"], "external-redis": ["quo"]}


def render(values, kubernetes="1.30", api_versions=API_VERSIONS):
    chart = helm.Chart.load(CHART)
    options = {"name": "sb", "namespace": "demo", "kube_version": f"v{kubernetes}.0", "api_versions": api_versions}
    made = json.loads(_native.call_string("helm_render", chart._raw(), json.dumps(values), json.dumps(options)))
    notes = "".join(text for name, text in made.items() if name.endswith("NOTES.txt"))
    texts = [text for name, text in made.items() if not name.endswith("NOTES.txt")]
    return [resource for text in texts for resource in yaml.safe_load_all(text) if resource], notes


def of_kind(resources, kind, name=None):
    return [r for r in resources if r["kind"] == kind and name in (None, r["metadata"]["name"])]


def validate(resource, kubernetes):
    """Raises where Kubernetes, or an operator, would not take `resource` as it is."""
    kind = resource["kind"]
    if kind in OPERATORS:
        # Its model passes over what it does not know; so it must give back all it was given.
        read = OPERATORS[kind].model_validate(resource)
        again = read.model_dump(by_alias=True, exclude_unset=True, mode="json")
        assert again == json.loads(json.dumps(resource)), f"{kind} has what the operator does not know"
    elif kind != "HTTPRoute":
        kubernetes_validate.validate(resource, kubernetes, strict=True)


def pods(resources):
    for resource in resources:
        if resource["kind"] in ("Deployment", "StatefulSet"):
            assert resource["spec"]["selector"]["matchLabels"].items() <= resource["spec"]["template"]["metadata"]["labels"].items()
            yield resource["metadata"]["name"], resource["spec"]["template"]
        if resource["kind"] == "Pod":
            yield resource["metadata"]["name"], resource


def check_together(resources):
    """What no schema knows: that the parts fit each other."""
    for name, pod in pods(resources):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"], name
            assert context["capabilities"]["drop"] == ["ALL"], name
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            volumes = {volume["name"] for volume in spec.get("volumes", [])}
            assert mounted <= volumes | {"data"}, name
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
    """The variables that a container would have."""
    secrets = {s["metadata"]["name"]: s["stringData"] for s in of_kind(resources, "Secret")}
    made = {}
    for source in container.get("envFrom", []):
        made |= secrets.get(source["secretRef"]["name"], ELSEWHERE)
    for variable in container["env"]:
        if "value" in variable:
            made[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda found: made[found[1]], variable["value"])
        elif key := variable["valueFrom"].get("secretKeyRef"):
            made[variable["name"]] = secrets.get(key["name"], ELSEWHERE)[key["key"]]
        else:
            made[variable["name"]] = "pod"
    return made


def accepts(variables, *arguments):
    program = TARGET / "debug" / "switchboard"
    checked = subprocess.run([program, *arguments, "check"], env=variables, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def check_settings(name, resources):
    """The program accepts what it is given, and knows all of it."""
    (deployment,) = of_kind(resources, "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    folder = SCRATCH / name
    shutil.rmtree(folder, ignore_errors=True)
    for volume in spec["volumes"]:
        place = folder / volume["name"]
        place.mkdir(parents=True)
        if made := of_kind(resources, "ConfigMap", volume.get("configMap", {}).get("name", "")):
            files = made[0]["data"]
        elif made := of_kind(resources, "Secret", volume.get("secret", {}).get("secretName", "")):
            files = made[0]["stringData"]
        else:
            certificate = (SCRATCH / "tls.crt").read_text()
            files = {"ca.crt": certificate, "tls.crt": certificate, "tls.key": (SCRATCH / "tls.key").read_text()}
        for file, text in files.items():
            (place / file).write_text(text.replace("/etc/switchboard/", f"{folder}/"))
    settings = folder / "settings" / "settings.toml"
    assert container["args"] == ["--config", "/etc/switchboard/settings/settings.toml"]
    accepts(environment(container, resources), "--config", settings)
    # Never killed before it has come to its end.
    seconds = {key: int(re.search(rf"{key} = (\d+)", settings.read_text())[1]) for key in ("grace_seconds", "shutdown_seconds")}
    assert spec["terminationGracePeriodSeconds"] > sum(seconds.values()), seconds


def check_sets():
    sets = sorted((CHART / "ci").glob("*.yaml"))
    for path in sets:
        values = yaml.safe_load(path.read_text())
        linted = helm.lint(CHART, values, strict=True, kube_version="v1.30.0")
        told = [message for message in linted["messages"] if "icon is recommended" not in json.dumps(message)]
        assert not told, f"{path.name}: {told}"
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


EXTERNAL = {"kind": "external", "url": "redis://redis:6379"}

# What it must refuse, and what the refusal must say.
REFUSED = [
    ({"replicas": 3}, "replicas"),
    ({"redis": {"hosts": "redis"}}, "hosts"),
    ({"settings": {"server": {"listn": "0.0.0.0:80"}}}, "listn"),
    ({"settings": {"redis": {"url": "redis://redis"}}}, "url"),
    ({"settings": {"auth": {"password": "secret"}}}, "password"),
    ({"settings": {"admin": {"password": "secret"}}}, "password"),
    ({"settings": {"server": {"workers": 1000}}}, "maximum"),
    ({"settings": {"server": {"workers": "two"}}}, "integer"),
    ({"replicaCount": 0}, "minimum"),
    ({"ingress": {"enabled": "yes"}}, "boolean"),
    ({"redis": {"kind": "internal"}}, "embedded"),
    ({"redis": {"url": "redis://redis"}}, "redis.url is set, but redis.kind is own"),
    ({"redis": {"mode": "cluster"}}, "redis.mode is cluster, but redis.kind is own"),
    ({"redis": {"kind": "external"}}, "set redis.url, or existingSecret"),
    ({"redis": {**EXTERNAL, "passwordSecret": {"name": "x"}}}, "does not name $(REDIS_PASSWORD)"),
    ({"redis": {**EXTERNAL, "url": "redis://:$(REDIS_PASSWORD)@redis"}}, "redis.passwordSecret.name does not tell"),
    ({"redis": {**EXTERNAL, "mode": "sentinel"}}, "set redis.sentinelMaster"),
    ({"redis": {**EXTERNAL, "sentinelMaster": "x"}}, "set redis.mode=sentinel"),
    ({"redis": {**EXTERNAL, "tls": {"secretName": "x"}}}, "does not begin with rediss://"),
    ({"redis": {**EXTERNAL, "tls": {"certKey": "x"}}}, "a certificate needs its key"),
    ({"redis": {"kind": "embedded"}}, "each pod would have data of its own"),
    ({"redis": {"kind": "embedded"}, "replicaCount": 1, "autoscaling": {"enabled": True}}, "autoscaling.enabled with redis.kind=embedded"),
    ({"existingSecret": "x", "secrets": {"apiKeys": ["k"]}}, "existingSecret and secrets.apiKeys are both set"),
    ({"existingSecret": "x", "redis": EXTERNAL}, "existingSecret and redis.url are both set"),
    ({"secrets": {"extra": {"SWITCHBOARD__AUTH__PASSWORD": "x"}}}, "settings have values of their own"),
    ({"catalog": {"existingSecret": "x", "services": {"a": {}}}}, "the catalogue comes from one place"),
    ({"settings": {"auth": {"username": "x"}}}, "set secrets.authPassword"),
    ({"autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 2}}, "is more than autoscaling.maxReplicas"),
    ({"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}}, "resources.requests.cpu is not set"),
    ({"podDisruptionBudget": {"minAvailable": 1}}, "both set"),
    ({"podDisruptionBudget": {"maxUnavailable": ""}}, "neither"),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, "no node could ever be drained"),
    ({"replicaCount": 1, "podDisruptionBudget": {"maxUnavailable": "", "minAvailable": 1}}, "no node could ever be drained"),
    ({"ingress": {"enabled": True}}, "ingress.hosts is empty"),
    ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs is empty"),
    ({"ingress": {"enabled": True, "hosts": ["x"]}, "httpRoute": {"enabled": True, "parentRefs": [{"name": "x"}]}}, "set one of them"),
    ({"monitoring": {"serviceMonitor": {"enabled": True}}, "settings": {"metrics": {"enabled": False}}}, "nothing to fetch"),
    ({"networkPolicy": {"restrictEgress": True}, "redis": EXTERNAL}, "how Redis is reached"),
    ({"monitoring": {"prometheusRule": {"alerts": {"SwitchboardBored": {"enabled": False}}}}}, "SwitchboardBored"),
    ({"monitoring": {"prometheusRule": {"alerts": {"SwitchboardAbsent": {"threshold": 1}}}}}, "threshold"),
    ({"monitoring": {"prometheusRule": {"runbookUrl": "docs"}}}, "runbookUrl"),
]


def check_refusals():
    for values, expected in REFUSED:
        try:
            render(values)
        except helm.HelmError as error:
            assert expected in str(error), f"{values} is refused, but not for {expected!r}: {error}"
        else:
            sys.exit(f"not refused: {values}")
    try:
        render({"preStopSleepSeconds": 5}, "1.27")
        sys.exit("preStopSleepSeconds is taken on Kubernetes 1.27")
    except helm.HelmError as error:
        assert "needs Kubernetes 1.30" in str(error), error
    print(f"the chart: {len(REFUSED) + 1} contradictions and unknown values are refused, and told")


def check_compose():
    """The program accepts what docker-compose.yml sets, and limits that stand in two places are the same."""
    compose = yaml.safe_load((TOP / "docker-compose.yml").read_text())
    replicas = [service for name, service in compose["services"].items() if name.startswith("switchboard")]
    defaults = (TOP / "config" / "default.toml").read_text()
    number = lambda key: int(re.search(rf"^{key} = (\d+)$", defaults, re.M)[1])
    for replica in replicas:
        default = lambda found: found[2] if found[1] == ":-" else ""
        accepts({k: re.sub(r"\$\{\w+(:[-+])([^}]*)\}", default, v) for k, v in replica["environment"].items()})
        patience = int(replica["stop_grace_period"].removesuffix("s"))
        assert patience > number("grace_seconds") + number("shutdown_seconds"), patience
    nginx = (TOP / "deploy" / "nginx" / "nginx.conf").read_text()
    answers = (TOP / "deploy" / "nginx" / "answers.conf").read_text()
    largest = int(re.search(r"client_max_body_size (\d+)m;", nginx)[1]) << 20
    assert largest == number("body_bytes") and f"{largest} bytes" in answers, largest
    assert int(re.search(r"keepalive_timeout (\d+)s;", nginx)[1]) < number("keep_alive_seconds")
    print(f"docker-compose.yml: the settings of its {len(replicas)} replicas, and what nginx has of them, are right")


def check_operators_absent():
    """Where the cluster does not know the operator's kinds none are made, and the notes say so."""
    wanted = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
    resources, notes = render({"monitoring": wanted}, api_versions=[])
    assert not any(resource["kind"] in OPERATORS for resource in resources)
    assert "does not know monitoring.coreos.com/v1" in notes, notes
    print("the chart: nothing of an operator that is not there, and the notes say so")


def check_alerts():
    """Single alerts can be switched off and changed, and all others stay as they are."""
    groups = yaml.safe_load((CHART / "files" / "alerts.yml").read_text())["groups"]
    expected = {rule["alert"]: rule for group in groups for rule in group["rules"]}
    changes = {
        "SwitchboardLogLinesLost": {"enabled": False},
        "SwitchboardErrors": {"threshold": 0.2, "for": "10m", "severity": "critical", "labels": {"page": "yes"}},
        "SwitchboardWaitingForStore": {"threshold": 2000000},
    }
    wanted = {"enabled": True, "alerts": changes, "alertLabels": {"team": "x"}, "runbookUrl": "https://wiki/runbook"}
    (rule,) = of_kind(render({"monitoring": {"prometheusRule": wanted}})[0], "PrometheusRule")
    made = {rule["alert"]: rule for group in rule["spec"]["groups"] for rule in group["rules"]}
    del expected["SwitchboardLogLinesLost"]
    for name, alert in expected.items():
        alert["labels"]["team"] = "x"
        alert["annotations"]["runbook_url"] = f"https://wiki/runbook#{name.lower()}"
    for name, old, new in [("SwitchboardErrors", "> 0.05", "> 0.2"), ("SwitchboardWaitingForStore", "> 500", "> 2e+06")]:
        expected[name]["expr"] = expected[name]["expr"].replace(old, new)
        expected[name]["annotations"]["threshold"] = str(new[2:])
    expected["SwitchboardErrors"]["for"] = "10m"
    expected["SwitchboardErrors"]["labels"] |= {"severity": "critical", "page": "yes"}
    assert made == expected, [(made.get(name), alert) for name, alert in expected.items() if made.get(name) != alert]
    file = SCRATCH / "alerts.yml"
    file.write_text(yaml.safe_dump(rule["spec"]))
    subprocess.run(["promtool", "check", "rules", file], check=True, capture_output=True)
    print(f"the chart: alerts are switched off and changed one by one ({len(made)} rules)")


def main():
    SCRATCH.mkdir(parents=True, exist_ok=True)
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=redis"
    files = ["-keyout", SCRATCH / "tls.key", "-out", SCRATCH / "tls.crt"]
    subprocess.run(["openssl", *request.split(), *files], check=True, capture_output=True)
    check_sets()
    check_refusals()
    check_alerts()
    check_operators_absent()
    check_compose()


main()
