{{/* Names. Short enough for what is hung on to them. */}}
{{- define "switchboard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "switchboard.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "switchboard.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "switchboard.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "switchboard.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "switchboard.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* Labels. What selects pods never changes within a release. */}}
{{- define "switchboard.selector" -}}
app.kubernetes.io/name: {{ include "switchboard.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "switchboard.labels" -}}
{{ include "switchboard.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "switchboard.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* A number or text as a value of TOML. JSON's strings are TOML's, too. */}}
{{- define "switchboard.toml" -}}
{{- if or (kindIs "string" .) (kindIs "bool" .) }}{{ toJson . }}{{ else }}{{ int64 . }}{{ end }}
{{- end }}

{{/* settings.toml: settings, and what the chart itself sets of them. */}}
{{- define "switchboard.settings" -}}
{{- $own := dict "server" (dict "private_listen" (printf "%s:8081" .Values.listenHost)) }}
{{- $redis := dict "mode" .Values.redis.mode "sentinel_master" .Values.redis.sentinelMaster }}
{{- with .Values.redis.tls }}
{{- if .secretName }}
{{- range $setting, $key := dict "tls_ca_file" .caKey "tls_cert_file" .certKey "tls_key_file" .keyKey }}
{{- if $key }}{{ $_ := set $redis $setting (printf "/etc/switchboard/redis-tls/%s" $key) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- $_ := set $own "redis" $redis }}
{{- if .Values.tls.secretName }}
{{- $_ := set $own "tls" (dict "certificate_file" "/etc/switchboard/tls/tls.crt" "key_file" "/etc/switchboard/tls/tls.key") }}
{{- end }}
{{- if include "switchboard.catalogSecret" . }}
{{- $_ := set $own "catalog" (dict "file" "/etc/switchboard/catalog/catalog.toml") }}
{{- end }}
{{- range $section, $keys := mergeOverwrite (deepCopy .Values.settings) $own }}
[{{ $section }}]
{{- range $key, $value := $keys }}
{{ $key }} = {{ include "switchboard.toml" $value }}
{{- end }}
{{ end }}
{{- end }}

{{/* catalog.toml. Names are quoted: they may hold dots and dashes. Options are read as text. */}}
{{- define "switchboard.catalog" -}}
{{- range $kind, $tables := dict "services" .Values.catalog.services "resources" .Values.catalog.resources }}
{{- range $name, $options := $tables }}
[{{ $kind }}.{{ toJson $name }}]
{{- range $option, $value := $options }}
{{- if kindIs "slice" $value }}
{{ toJson $option }} = [{{ range $i, $entry := $value }}{{ if $i }}, {{ end }}{{ toJson $entry }}{{ end }}]
{{- else if kindIs "string" $value }}
{{ toJson $option }} = {{ toJson $value }}
{{- else }}
{{ toJson $option }} = {{ include "switchboard.toml" $value | quote }}
{{- end }}
{{- end }}
{{ end }}
{{- end }}
{{- end }}

{{/* The Secret with the catalogue; empty where the shipped one is used. */}}
{{- define "switchboard.catalogSecret" -}}
{{- if .Values.catalog.existingSecret }}
{{- .Values.catalog.existingSecret }}
{{- else if or .Values.catalog.services .Values.catalog.resources }}
{{- include "switchboard.fullname" . }}-catalog
{{- end }}
{{- end }}

{{/* What the release's own Secret holds: names and values, empty where there is nothing to hide. */}}
{{- define "switchboard.secrets" -}}
{{- $secrets := deepCopy .Values.secrets.extra }}
{{- with .Values.secrets.authPassword }}{{ $_ := set $secrets "SWITCHBOARD__AUTH__PASSWORD" . }}{{ end }}
{{- with .Values.secrets.apiKeys }}{{ $_ := set $secrets "SWITCHBOARD__AUTH__API_KEYS" (join "," .) }}{{ end }}
{{- with .Values.secrets.adminPassword }}{{ $_ := set $secrets "SWITCHBOARD__ADMIN__PASSWORD" . }}{{ end }}
{{- with .Values.secrets.sentinelPassword }}{{ $_ := set $secrets "SWITCHBOARD__REDIS__SENTINEL_PASSWORD" . }}{{ end }}
{{- if and .Values.redis.url (not .Values.redis.passwordSecret.name) }}
{{- $_ := set $secrets "SWITCHBOARD__REDIS__URL" .Values.redis.url }}
{{- end }}
{{- if $secrets }}{{ toYaml $secrets }}{{ end }}
{{- end }}

{{/* The Secret that becomes the environment; empty where there is none. */}}
{{- define "switchboard.envSecret" -}}
{{- if .Values.existingSecret }}
{{- .Values.existingSecret }}
{{- else if include "switchboard.secrets" . }}
{{- include "switchboard.fullname" . }}
{{- end }}
{{- end }}

{{- define "switchboard.scheme" -}}
{{ if .Values.tls.secretName }}https{{ else }}http{{ end }}
{{- end }}

{{/* The fewest pods there may be. */}}
{{- define "switchboard.fewest" -}}
{{ if .Values.autoscaling.enabled }}{{ .Values.autoscaling.minReplicas }}{{ else }}{{ .Values.replicaCount }}{{ end }}
{{- end }}

{{/* What a pod may take to end: grace, finishing what is in flight, and some for the end itself. */}}
{{- define "switchboard.patience" -}}
{{- $grace := dig "server" "grace_seconds" 5 .Values.settings }}
{{- $finish := dig "server" "shutdown_seconds" 20 .Values.settings }}
{{- add .Values.preStopSleepSeconds $grace $finish 10 }}
{{- end }}
