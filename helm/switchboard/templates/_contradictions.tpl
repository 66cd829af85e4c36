{{/* What cannot be meant. Each says which values, and what to do. */}}
{{- define "switchboard.contradictions" -}}
{{- $redis := .Values.redis }}
{{- $settings := .Values.settings }}
{{- $fewest := include "switchboard.fewest" . | int }}

{{- if ne $redis.kind "external" }}
{{- range $value, $set := dict "redis.url" $redis.url "redis.sentinelMaster" $redis.sentinelMaster "redis.passwordSecret.name" $redis.passwordSecret.name "redis.tls.secretName" $redis.tls.secretName }}
{{- if $set }}{{ fail (printf "%s is set, but redis.kind is %s: it is for redis.kind=external" $value $redis.kind) }}{{ end }}
{{- end }}
{{- if ne $redis.mode "single" }}{{ fail (printf "redis.mode is %s, but redis.kind is %s: set redis.kind=external and redis.url" $redis.mode $redis.kind) }}{{ end }}
{{- end }}

{{- if eq $redis.kind "external" }}
{{- if not (or $redis.url .Values.existingSecret) }}
{{- fail "redis.kind is external, but it is not told where: set redis.url, or existingSecret with the key SWITCHBOARD__REDIS__URL" }}
{{- end }}
{{- if and $redis.passwordSecret.name (not (contains "$(REDIS_PASSWORD)" $redis.url)) }}
{{- fail "redis.passwordSecret.name is set, but redis.url does not name $(REDIS_PASSWORD), where the password goes" }}
{{- end }}
{{- if and (contains "$(REDIS_PASSWORD)" $redis.url) (not $redis.passwordSecret.name) }}
{{- fail "redis.url names $(REDIS_PASSWORD), but redis.passwordSecret.name does not tell where it is" }}
{{- end }}
{{- if and (eq $redis.mode "sentinel") (not $redis.sentinelMaster) }}
{{- fail "redis.mode is sentinel: set redis.sentinelMaster, the name by which the sentinels know the primary" }}
{{- end }}
{{- if and $redis.sentinelMaster (ne $redis.mode "sentinel") }}
{{- fail (printf "redis.sentinelMaster is set, but redis.mode is %s: set redis.mode=sentinel" $redis.mode) }}
{{- end }}
{{- if and $redis.tls.secretName $redis.url (not (hasPrefix "rediss://" $redis.url)) }}
{{- fail "redis.tls.secretName is set, but redis.url does not begin with rediss://, and so is not encrypted" }}
{{- end }}
{{- if ne (empty $redis.tls.certKey) (empty $redis.tls.keyKey) }}
{{- fail "of redis.tls.certKey and redis.tls.keyKey one is set: a certificate needs its key" }}
{{- end }}
{{- end }}

{{- if eq $redis.kind "embedded" }}
{{- if .Values.autoscaling.enabled }}
{{- fail "autoscaling.enabled with redis.kind=embedded: each pod would have data of its own; set redis.kind=own or external" }}
{{- end }}
{{- if gt $fewest 1 }}
{{- fail (printf "replicaCount is %d with redis.kind=embedded: each pod would have data of its own; set replicaCount=1, or redis.kind=own or external" $fewest) }}
{{- end }}
{{- end }}

{{- if .Values.existingSecret }}
{{- range $value, $set := .Values.secrets }}
{{- if $set }}{{ fail (printf "existingSecret and secrets.%s are both set: put it into that Secret" $value) }}{{ end }}
{{- end }}
{{- if and $redis.url (not $redis.passwordSecret.name) }}
{{- fail "existingSecret and redis.url are both set: put the URL into that Secret as SWITCHBOARD__REDIS__URL" }}
{{- end }}
{{- end }}
{{- range $name, $_ := .Values.secrets.extra }}
{{- if hasPrefix "SWITCHBOARD__" $name }}
{{- fail (printf "secrets.extra.%s: settings have values of their own (secrets.authPassword, secrets.apiKeys, redis.url ...)" $name) }}
{{- end }}
{{- end }}

{{- if and .Values.catalog.existingSecret (or .Values.catalog.services .Values.catalog.resources) }}
{{- fail "catalog.existingSecret and catalog.services or catalog.resources are both set: the catalogue comes from one place" }}
{{- end }}
{{- if and (dig "auth" "username" "" $settings) (not .Values.secrets.authPassword) (not .Values.existingSecret) }}
{{- fail "settings.auth.username is set without a password: set secrets.authPassword, or existingSecret with SWITCHBOARD__AUTH__PASSWORD" }}
{{- end }}

{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail (printf "autoscaling.minReplicas (%d) is more than autoscaling.maxReplicas (%d)" (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- end }}
{{- if and .Values.autoscaling.enabled (not (dig "requests" "cpu" "" .Values.resources)) }}
{{- fail "autoscaling.enabled aims at a share of the CPU requested, but resources.requests.cpu is not set" }}
{{- end }}

{{- with .Values.podDisruptionBudget }}
{{- if .enabled }}
{{- $most := toString .maxUnavailable }}
{{- $least := toString .minAvailable }}
{{- if and (ne $most "") (ne $least "") }}
{{- fail "podDisruptionBudget: maxUnavailable and minAvailable are both set; set the other to \"\"" }}
{{- end }}
{{- if and (eq $most "") (eq $least "") }}
{{- fail "podDisruptionBudget is enabled, but neither maxUnavailable nor minAvailable is set" }}
{{- end }}
{{- if has $most (list "0" "0%") }}
{{- fail "podDisruptionBudget.maxUnavailable is 0: no node could ever be drained" }}
{{- end }}
{{- if or (eq $least "100%") (and (regexMatch "^[0-9]+$" $least) (ge (int $least) $fewest)) }}
{{- fail (printf "podDisruptionBudget.minAvailable is %s of %d pods: no node could ever be drained" $least $fewest) }}
{{- end }}
{{- end }}
{{- end }}

{{- if and .Values.ingress.enabled .Values.httpRoute.enabled }}
{{- fail "ingress.enabled and httpRoute.enabled: set one of them" }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
{{- fail "ingress.enabled, but ingress.hosts is empty: name the hosts it answers to" }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.enabled, but httpRoute.parentRefs is empty: name the gateways it belongs to" }}
{{- end }}
{{- if and .Values.monitoring.serviceMonitor.enabled (not (dig "metrics" "enabled" true $settings)) }}
{{- fail "monitoring.serviceMonitor.enabled, but settings.metrics.enabled is false: there would be nothing to fetch" }}
{{- end }}
{{- if and .Values.networkPolicy.restrictEgress (eq $redis.kind "external") (not .Values.networkPolicy.egress) }}
{{- fail "networkPolicy.restrictEgress with redis.kind=external: name in networkPolicy.egress how Redis is reached" }}
{{- end }}
{{- if and (gt (int .Values.preStopSleepSeconds) 0) (semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version) }}
{{- fail "preStopSleepSeconds needs Kubernetes 1.30; settings.server.grace_seconds does the same on any" }}
{{- end }}
{{- end }}
