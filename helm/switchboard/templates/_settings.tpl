{{/* A number or text as a value of TOML. Strings of JSON are strings of TOML, too. */}}
{{- define "switchboard.toml" -}}
{{- if or (kindIs "string" .) (kindIs "bool" .) }}{{ toJson . }}{{ else }}{{ int64 . }}{{ end }}
{{- end }}

{{/* settings.toml: settings, and those that the chart sets itself. */}}
{{- define "switchboard.settings" -}}
{{- $own := dict "server" (dict "private_listen" (printf "%s:8081" .Values.listenHost)) }}
{{- $redis := dict "mode" .Values.redis.mode "sentinel_master" .Values.redis.sentinelMaster }}
{{- with .Values.redis.username }}{{ $_ := set $redis "username" . }}{{ end }}
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

{{/* catalog.toml. Names are quoted: they may have dots and dashes. Options are text. */}}
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

{{/* The Secret with the catalog; empty if that of the image is used. */}}
{{- define "switchboard.catalogSecret" -}}
{{- if .Values.catalog.existingSecret }}
{{- .Values.catalog.existingSecret }}
{{- else if or .Values.catalog.services .Values.catalog.resources }}
{{- include "switchboard.fullname" . }}-catalog
{{- end }}
{{- end }}
