#!/usr/bin/env python3
"""Checks that the chart refuses invalid values, and its messages."""

import sys

import helm_python as helm
from chart import render

DRAIN = "no node could ever be drained"
EXTERNAL = {"kind": "external", "url": "redis://redis:6379"}

# Values, and a part of the expected message.
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
    ({"redis": {**EXTERNAL, "url": "redis://:$(REDIS_PASSWORD)@redis"}}, "set redis.passwordSecret"),
    ({"redis": {**EXTERNAL, "url": "redis://:x@redis", "passwordSecret": {"name": "x"}}}, "remove them from the URL"),
    ({"redis": {**EXTERNAL, "url": "redis://:x@redis", "username": "x"}}, "remove them from the URL"),
    ({"redis": {**EXTERNAL, "url": "unix:/x?pass=y"}, "secrets": {"redisPassword": "x"}}, "remove them from the URL"),
    ({"redis": {**EXTERNAL, "passwordSecret": {"name": "x"}}, "secrets": {"redisPassword": "x"}}, "set one of them"),
    ({"redis": {"username": "x"}}, "redis.username is set, but redis.kind is own"),
    ({"redis": {"passwordSecret": {"name": "x"}}}, "redis.passwordSecret.name is set, but redis.kind is own"),
    ({"secrets": {"redisPassword": "x"}}, "secrets.redisPassword is set, but redis.kind is own"),
    ({"redis": {**EXTERNAL, "sentinelPasswordSecret": {"name": "x"}}}, "set redis.mode=sentinel"),
    ({"redis": {"own": {"password": "x", "existingSecret": "x"}}}, "set one of them"),
    ({"redis": {**EXTERNAL, "mode": "sentinel"}}, "set redis.sentinelMaster"),
    ({"redis": {**EXTERNAL, "sentinelMaster": "x"}}, "set redis.mode=sentinel"),
    ({"redis": {**EXTERNAL, "tls": {"secretName": "x"}}}, "does not begin with rediss://"),
    ({"redis": {**EXTERNAL, "tls": {"certKey": "x"}}}, "redis.tls.keyKey is set: set both"),
    ({"redis": {"kind": "embedded"}}, "each pod would have its own data"),
    ({"redis": {"kind": "embedded"}, "replicaCount": 1, "autoscaling": {"enabled": True}}, "autoscaling.enabled with redis.kind=embedded"),
    ({"existingSecret": "x", "secrets": {"apiKeys": ["k"]}}, "existingSecret and secrets.apiKeys are both set"),
    ({"existingSecret": "x", "secrets": {"agentUsers": {"ann": "$argon2id$x"}}}, "existingSecret and secrets.agentUsers are both set"),
    ({"secrets": {"agentUsers": {"ann": "plain"}}}, "agentUsers"),
    ({"secrets": {"operators": {"ann": {"role": "root", "passwordHash": "$argon2id$x"}}}}, "operators"),
    ({"secrets": {"operators": {"ann": {"role": "viewer", "passwordHash": "plain"}}}}, "operators"),
    ({"secrets": {"agentApiKeys": {"bot": "short"}}}, "agentApiKeys"),
    ({"existingSecret": "x", "redis": {**EXTERNAL, "url": "redis://:x@y"}}, "existingSecret and redis.url with a password"),
    ({"secrets": {"extra": {"SWITCHBOARD__AUTH__PASSWORD": "x"}}}, "settings have values of their own"),
    ({"catalog": {"existingSecret": "x", "services": {"a": {}}}}, "set one of them"),
    ({"settings": {"auth": {"username": "x"}}}, "set secrets.authPassword"),
    ({"autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 2}}, "is more than autoscaling.maxReplicas"),
    ({"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}}, "resources.requests.cpu is not set"),
    ({"podDisruptionBudget": {"minAvailable": 1}}, "both set"),
    ({"podDisruptionBudget": {"maxUnavailable": ""}}, "neither"),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, DRAIN),
    ({"podDisruptionBudget": {"maxUnavailable": "0%"}}, DRAIN),
    ({"podDisruptionBudget": {"maxUnavailable": "00%"}}, DRAIN),
    ({"podDisruptionBudget": {"maxUnavailable": "101%"}}, "at most 100%"),
    ({"podDisruptionBudget": {"maxUnavailable": "2"}}, "maxUnavailable"),
    ({"replicaCount": 1, "podDisruptionBudget": {"maxUnavailable": "", "minAvailable": 1}}, DRAIN),
    ({"replicaCount": 1, "podDisruptionBudget": {"maxUnavailable": "", "minAvailable": "50%"}}, "which is 1 of 1 pods"),
    ({"replicaCount": 1, "podDisruptionBudget": {"maxUnavailable": "", "minAvailable": "1%"}}, DRAIN),
    ({"replicaCount": 2, "podDisruptionBudget": {"maxUnavailable": "", "minAvailable": "90%"}}, "which is 2 of 2 pods"),
    ({"replicaCount": 3, "podDisruptionBudget": {"maxUnavailable": "", "minAvailable": "67%"}}, DRAIN),
    ({"replicaCount": 10, "podDisruptionBudget": {"maxUnavailable": "", "minAvailable": "91%"}}, DRAIN),
    ({"replicaCount": 10, "podDisruptionBudget": {"maxUnavailable": "", "minAvailable": "100%"}}, DRAIN),
    (
        {
            "replicaCount": 9,
            "autoscaling": {"enabled": True, "minReplicas": 2},
            "podDisruptionBudget": {"maxUnavailable": "", "minAvailable": "51%"},
        },
        DRAIN,
    ),
    ({"ingress": {"enabled": True}}, "ingress.hosts is empty"),
    ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs is empty"),
    ({"ingress": {"enabled": True, "hosts": ["x"]}, "httpRoute": {"enabled": True, "parentRefs": [{"name": "x"}]}}, "set one of them"),
    ({"monitoring": {"serviceMonitor": {"enabled": True}}, "settings": {"metrics": {"enabled": False}}}, "no metrics to scrape"),
    ({"networkPolicy": {"restrictEgress": True}, "redis": EXTERNAL}, "add a rule for Redis"),
    ({"networkPolicy": {"webhookCidrs": ["203.0.113.7"]}}, "webhookCidrs"),
    ({"fullnameOverride": "Switch_Board"}, "from fullnameOverride, cannot be the name of a Service"),
    ({"fullnameOverride": "1sb"}, "begin with a letter"),
    ({"fullnameOverride": "sb-"}, "end with a letter or digit"),
    ({"fullnameOverride": "sb.prod"}, "cannot be the name of a Service"),
    ({"nameOverride": "Switch_Board"}, "from the release name and nameOverride"),
    ({"fullnameOverride": "sb", "nameOverride": "a b"}, "cannot be a label"),
    ({"serviceAccount": {"name": "Switch_Board"}}, "serviceAccount"),
    ({"tls": {"secretName": "My Secret"}}, "secretName"),
    ({"commonLabels": {"app.kubernetes.io/name": "x"}}, "commonLabels sets app.kubernetes.io/name"),
    ({"podLabels": {"app.kubernetes.io/component": "x"}}, "podLabels sets app.kubernetes.io/component"),
    ({"extraEnv": [{"name": "RUST_BACKTRACE", "value": 1}]}, "got number, want string"),
    ({"extraEnv": [{"name": "X", "value": True}]}, "got boolean, want string"),
    ({"extraEnv": [{"name": "SWITCHBOARD__REDIS__URL", "value": "redis://x"}]}, "use redis.url"),
    ({"extraEnv": [{"name": "SWITCHBOARD__SERVER__LISTEN", "value": "x"}]}, "use listenHost"),
    ({"extraEnv": [{"name": "SWITCHBOARD__REDIS__PASSWORD_FILE", "value": "/x"}]}, "use redis.passwordSecret"),
    (
        {"secrets": {"adminPassword": "x"}, "extraEnv": [{"name": "SWITCHBOARD__ADMIN__PASSWORD_FILE", "value": "/x"}]},
        "use secrets.adminPassword",
    ),
    ({"extraEnv": [{"name": "X", "value": "1"}, {"name": "X", "value": "2"}]}, "extraEnv sets X twice"),
    ({"extraEnv": [{"name": "X", "value": "1", "valueFrom": {"fieldRef": {}}}]}, "with value and valueFrom"),
    ({"extraEnv": [{"value": "1"}]}, "name"),
    ({"tracing": {"endpoint": "http://x"}, "extraEnv": [{"name": "K8S_POD_NAME", "value": "x"}]}, "which the chart sets"),
    ({"extraContainers": [{"name": "switchboard", "image": "x"}]}, "cannot have the name switchboard"),
    ({"extraObjects": [{"kind": "ConfigMap"}]}, "apiVersion"),
    ({"updateStrategy": {"type": "Recreate"}}, "set it to null"),
    ({"updateStrategy": {"rollingUpdate": {"maxSurge": "0%"}}}, "no pod can be replaced"),
    ({"minReadySeconds": 600}, "maximum"),
    ({"dnsPolicy": "None"}, "set dnsConfig.nameservers"),
    ({"service": {"nodePort": 30080}}, "service.nodePort is set, but service.type is ClusterIP"),
    ({"service": {"loadBalancerClass": "x"}}, "set LoadBalancer"),
    ({"service": {"type": "NodePort", "loadBalancerSourceRanges": ["10.0.0.0/8"]}}, "set LoadBalancer"),
    ({"service": {"loadBalancerSourceRanges": ["everybody"]}}, "loadBalancerSourceRanges"),
    ({"service": {"private": {"type": "LoadBalancer"}}}, "in service.private.loadBalancerSourceRanges"),
    ({"service": {"private": {"nodePort": 30081}}}, "service.private.nodePort is set"),
    ({"service": {"ipFamilyPolicy": "DualStack"}}, "ipFamilyPolicy"),
    ({"service": {"ipFamilies": ["IPv6", "IPv4"]}}, "set service.ipFamilyPolicy"),
    ({"ingress": {"enabled": True, "hosts": ["x"], "paths": []}}, "ingress.paths is empty"),
    ({"ingress": {"paths": [{"path": "genesys", "pathType": "Prefix"}]}}, "path"),
    ({"listenHost": "::"}, "listenHost"),
    ({"monitoring": {"serviceMonitor": {"interval": "1m", "scrapeTimeout": "61s"}}}, "is longer than interval"),
    ({"monitoring": {"serviceMonitor": {"relabelings": [{"source_labels": ["x"]}]}}}, "source_labels"),
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
    for release in ("1sb", "sb.prod"):
        try:
            render({}, release=release)
            sys.exit(f"release {release} is not refused")
        except helm.HelmError as error:
            assert "from the release name, cannot be the name of a Service" in str(error), error
    try:
        render({"preStopSleepSeconds": 5}, "1.27")
        sys.exit("preStopSleepSeconds is accepted on Kubernetes 1.27")
    except helm.HelmError as error:
        assert "needs Kubernetes 1.30" in str(error), error
    print(f"the chart: {len(REFUSED) + 3} contradictions and unknown values are refused")


check_refusals()
