{{/* Values that contradict each other, or that Kubernetes rejects. Each message has the values and the remedy. */}}
{{- define "switchboard.contradictions" -}}
{{- include "switchboard.checkNames" . }}
{{- include "switchboard.checkRedis" . }}
{{- include "switchboard.checkSecrets" . }}
{{- include "switchboard.checkPods" . }}
{{- include "switchboard.checkNetwork" . }}
{{- include "switchboard.checkMonitoring" . }}
{{- end }}

{{- define "switchboard.checkRedis" -}}
{{- $redis := .Values.redis }}
{{- $minPods := include "switchboard.minPods" . | int }}

{{- if ne $redis.kind "external" }}
{{- range $value, $set := dict "redis.url" $redis.url "redis.username" $redis.username "redis.sentinelMaster" $redis.sentinelMaster "redis.passwordSecret.name" $redis.passwordSecret.name "redis.sentinelPasswordSecret.name" $redis.sentinelPasswordSecret.name "redis.tls.secretName" $redis.tls.secretName "secrets.redisPassword" .Values.secrets.redisPassword "secrets.sentinelPassword" .Values.secrets.sentinelPassword }}
{{- if $set }}{{ fail (printf "%s is set, but redis.kind is %s: it requires redis.kind=external" $value $redis.kind) }}{{ end }}
{{- end }}
{{- if ne $redis.mode "single" }}{{ fail (printf "redis.mode is %s, but redis.kind is %s: set redis.kind=external and redis.url" $redis.mode $redis.kind) }}{{ end }}
{{- end }}

{{- if eq $redis.kind "external" }}
{{- if not (or $redis.url .Values.existingSecret) }}
{{- fail "redis.kind is external: set redis.url, or existingSecret with the key SWITCHBOARD__REDIS__URL" }}
{{- end }}
{{- if contains "$(" $redis.url }}
{{- fail "redis.url has a reference to a variable: set redis.passwordSecret, and redis.username, instead of a password in the URL" }}
{{- end }}
{{- if and (include "switchboard.urlHasCredentials" .) (or $redis.username $redis.passwordSecret.name .Values.secrets.redisPassword) }}
{{- fail "redis.url has a user or password, and redis.username, redis.passwordSecret or secrets.redisPassword is set: remove them from the URL" }}
{{- end }}
{{- if and $redis.passwordSecret.name .Values.secrets.redisPassword }}
{{- fail "redis.passwordSecret.name and secrets.redisPassword are both set: set one of them" }}
{{- end }}
{{- if and $redis.sentinelPasswordSecret.name .Values.secrets.sentinelPassword }}
{{- fail "redis.sentinelPasswordSecret.name and secrets.sentinelPassword are both set: set one of them" }}
{{- end }}
{{- if and (eq $redis.mode "sentinel") (not $redis.sentinelMaster) }}
{{- fail "redis.mode is sentinel: set redis.sentinelMaster, the name of the primary on the sentinels" }}
{{- end }}
{{- range $value, $set := dict "redis.sentinelMaster" $redis.sentinelMaster "redis.sentinelPasswordSecret.name" $redis.sentinelPasswordSecret.name "secrets.sentinelPassword" .Values.secrets.sentinelPassword }}
{{- if and $set (ne $redis.mode "sentinel") }}{{ fail (printf "%s is set, but redis.mode is %s: set redis.mode=sentinel" $value $redis.mode) }}{{ end }}
{{- end }}
{{- if and $redis.tls.secretName $redis.url (not (hasPrefix "rediss://" $redis.url)) }}
{{- fail "redis.tls.secretName is set, but redis.url does not begin with rediss://, and so the connection is not encrypted" }}
{{- end }}
{{- if ne (empty $redis.tls.certKey) (empty $redis.tls.keyKey) }}
{{- fail "only one of redis.tls.certKey and redis.tls.keyKey is set: set both" }}
{{- end }}
{{- end }}

{{- if and $redis.own.password $redis.own.existingSecret }}
{{- fail "redis.own.password and redis.own.existingSecret are both set: set one of them" }}
{{- end }}

{{- if eq $redis.kind "embedded" }}
{{- if .Values.autoscaling.enabled }}
{{- fail "autoscaling.enabled with redis.kind=embedded: each pod would have its own data; set redis.kind=own or external" }}
{{- end }}
{{- if gt $minPods 1 }}
{{- fail (printf "replicaCount is %d with redis.kind=embedded: each pod would have its own data; set replicaCount=1, or redis.kind=own or external" $minPods) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "switchboard.checkSecrets" -}}
{{- if .Values.existingSecret }}
{{- range $value, $set := .Values.secrets }}
{{- if $set }}{{ fail (printf "existingSecret and secrets.%s are both set: put it into that Secret" $value) }}{{ end }}
{{- end }}
{{- if include "switchboard.urlHasCredentials" . }}
{{- fail "existingSecret and redis.url with a password are both set: put the URL into that Secret as SWITCHBOARD__REDIS__URL, or the password as SWITCHBOARD__REDIS__PASSWORD" }}
{{- end }}
{{- end }}
{{- range $name, $_ := .Values.secrets.extra }}
{{- if hasPrefix "SWITCHBOARD__" $name }}
{{- fail (printf "secrets.extra.%s: settings have values of their own (secrets.authPassword, secrets.apiKeys, redis.url ...)" $name) }}
{{- end }}
{{- end }}
{{- $owned := include "switchboard.ownedVariables" . | fromYaml }}
{{- $seen := dict }}
{{- range .Values.extraEnv }}
{{- if hasKey $owned .name }}
{{- fail (printf "extraEnv sets %s, which the chart sets: use %s" .name (get $owned .name)) }}
{{- end }}
{{- if hasKey $seen .name }}
{{- fail (printf "extraEnv sets %s twice" .name) }}
{{- end }}
{{- if and (hasKey . "value") (hasKey . "valueFrom") }}
{{- fail (printf "extraEnv sets %s with value and valueFrom: use one of them" .name) }}
{{- end }}
{{- $_ := set $seen .name true }}
{{- end }}
{{- if and .Values.catalog.existingSecret (or .Values.catalog.services .Values.catalog.resources) }}
{{- fail "catalog.existingSecret and catalog.services or catalog.resources are both set: set one of them" }}
{{- end }}
{{- if and (dig "auth" "username" "" .Values.settings) (not .Values.secrets.authPassword) (not .Values.existingSecret) (not (or (hasKey $seen "SWITCHBOARD__AUTH__PASSWORD") (hasKey $seen "SWITCHBOARD__AUTH__PASSWORD_FILE"))) }}
{{- fail "settings.auth.username is set without a password: set secrets.authPassword, or existingSecret with SWITCHBOARD__AUTH__PASSWORD" }}
{{- end }}
{{- end }}

{{- define "switchboard.checkPods" -}}
{{- $minPods := include "switchboard.minPods" . | int }}
{{- range $value, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels }}
{{- range $label := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" }}
{{- if hasKey $labels $label }}{{ fail (printf "%s sets %s, by which the chart selects pods: use another label" $value $label) }}{{ end }}
{{- end }}
{{- end }}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail (printf "autoscaling.minReplicas (%d) is more than autoscaling.maxReplicas (%d)" (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- end }}
{{- if and .Values.autoscaling.enabled (not (dig "requests" "cpu" "" .Values.resources)) }}
{{- fail "autoscaling.enabled targets a share of the CPU request, but resources.requests.cpu is not set" }}
{{- end }}

{{- with .Values.podDisruptionBudget }}
{{- if .enabled }}
{{- $max := toString .maxUnavailable }}
{{- $min := toString .minAvailable }}
{{- if and (ne $max "") (ne $min "") }}
{{- fail "podDisruptionBudget: maxUnavailable and minAvailable are both set; set the other to \"\"" }}
{{- end }}
{{- if and (eq $max "") (eq $min "") }}
{{- fail "podDisruptionBudget is enabled, but neither maxUnavailable nor minAvailable is set" }}
{{- end }}
{{- range $value, $given := dict "maxUnavailable" $max "minAvailable" $min }}
{{- if and (hasSuffix "%" $given) (gt (trimSuffix "%" $given | int) 100) }}
{{- fail (printf "podDisruptionBudget.%s is %s: at most 100%% is possible" $value $given) }}
{{- end }}
{{- end }}
{{- if and (ne $max "") (eq (include "switchboard.scaled" (dict "value" .maxUnavailable "total" $minPods) | int) 0) }}
{{- fail (printf "podDisruptionBudget.maxUnavailable is %s: no node could ever be drained" $max) }}
{{- end }}
{{- if ne $min "" }}
{{- $available := include "switchboard.scaled" (dict "value" .minAvailable "total" $minPods) | int }}
{{- if ge $available $minPods }}
{{- fail (printf "podDisruptionBudget.minAvailable is %s, which is %d of %d pods (percentages are rounded up): no node could ever be drained; use fewer, or more pods, or maxUnavailable" $min $available $minPods) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- with .Values.updateStrategy }}
{{- if and (eq .type "Recreate") .rollingUpdate }}
{{- fail "updateStrategy.type is Recreate, but updateStrategy.rollingUpdate is set: set it to null" }}
{{- end }}
{{- if and .rollingUpdate (has (dig "maxUnavailable" "25%" .rollingUpdate | toString) (list "0" "0%")) (has (dig "maxSurge" "25%" .rollingUpdate | toString) (list "0" "0%")) }}
{{- fail "updateStrategy.rollingUpdate: maxUnavailable and maxSurge are both 0, so no pod can be replaced" }}
{{- end }}
{{- end }}
{{- if and (gt (int .Values.preStopSleepSeconds) 0) (semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version) }}
{{- fail "preStopSleepSeconds needs Kubernetes 1.30; settings.server.drain_seconds does the same on any" }}
{{- end }}
{{- if and (eq .Values.dnsPolicy "None") (not .Values.dnsConfig.nameservers) }}
{{- fail "dnsPolicy is None: set dnsConfig.nameservers" }}
{{- end }}
{{- range .Values.extraContainers }}
{{- if eq .name "switchboard" }}{{ fail "extraContainers: a container cannot have the name switchboard, which is that of the service" }}{{ end }}
{{- end }}
{{- end }}

{{- define "switchboard.checkNetwork" -}}
{{- range $name, $service := dict "service" .Values.service "service.private" .Values.service.private }}
{{- if and (eq $service.type "ClusterIP") (gt (int $service.nodePort) 0) }}
{{- fail (printf "%s.nodePort is set, but %s.type is ClusterIP: set NodePort or LoadBalancer" $name $name) }}
{{- end }}
{{- if and (ne $service.type "LoadBalancer") (or $service.loadBalancerClass $service.loadBalancerSourceRanges) }}
{{- fail (printf "%s.loadBalancerClass or loadBalancerSourceRanges is set, but %s.type is %s: set LoadBalancer" $name $name $service.type) }}
{{- end }}
{{- end }}
{{- if and (eq .Values.service.private.type "LoadBalancer") (not .Values.service.private.loadBalancerSourceRanges) }}
{{- fail "service.private.type is LoadBalancer: list the sources that may reach match-interaction and the admin API in service.private.loadBalancerSourceRanges" }}
{{- end }}
{{- with .Values.service }}
{{- if and (gt (len .ipFamilies) 1) (not (has .ipFamilyPolicy (list "PreferDualStack" "RequireDualStack"))) }}
{{- fail "service.ipFamilies has two families: set service.ipFamilyPolicy to PreferDualStack or RequireDualStack" }}
{{- end }}
{{- end }}
{{- if and .Values.ingress.enabled .Values.httpRoute.enabled }}
{{- fail "ingress.enabled and httpRoute.enabled: set one of them" }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
{{- fail "ingress.enabled, but ingress.hosts is empty: list its hosts" }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.paths) }}
{{- fail "ingress.enabled, but ingress.paths is empty: add a path, such as /genesys/" }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.enabled, but httpRoute.parentRefs is empty: list its gateways" }}
{{- end }}
{{- if and .Values.networkPolicy.restrictEgress (eq .Values.redis.kind "external") (not .Values.networkPolicy.egress) }}
{{- fail "networkPolicy.restrictEgress with redis.kind=external: add a rule for Redis to networkPolicy.egress" }}
{{- end }}
{{- end }}

{{- define "switchboard.checkMonitoring" -}}
{{- with .Values.monitoring.serviceMonitor }}
{{- if and .enabled (not (dig "metrics" "enabled" true $.Values.settings)) }}
{{- fail "monitoring.serviceMonitor.enabled, but settings.metrics.enabled is false: there are no metrics to scrape" }}
{{- end }}
{{- if .scrapeTimeout }}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 }}
{{- $interval := mul (regexFind "^[0-9]+" .interval | int64) (get $units (regexFind "[a-z]+$" .interval)) }}
{{- $timeout := mul (regexFind "^[0-9]+" .scrapeTimeout | int64) (get $units (regexFind "[a-z]+$" .scrapeTimeout)) }}
{{- if gt $timeout $interval }}
{{- fail (printf "monitoring.serviceMonitor.scrapeTimeout (%s) is longer than interval (%s)" .scrapeTimeout .interval) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
