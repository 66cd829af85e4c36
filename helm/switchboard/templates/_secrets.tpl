{{/* Whether redis.url has a user or password in it. */}}
{{- define "switchboard.urlHasCredentials" -}}
{{- if regexMatch "@|[?&](user|pass)=" .Values.redis.url }}true{{ end }}
{{- end }}

{{/* Entries name:credential with semicolons between them. */}}
{{- define "switchboard.agents" -}}
{{- range $name, $credential := . }}{{ printf "%s:%s;" $name $credential }}{{ end }}
{{- end }}

{{/* Entries name:role:hash with semicolons between them. */}}
{{- define "switchboard.operators" -}}
{{- range $name, $operator := . }}{{ printf "%s:%s:%s;" $name $operator.role $operator.passwordHash }}{{ end }}
{{- end }}

{{/* Names and values of the Secret of the release; empty if there are none. */}}
{{- define "switchboard.secrets" -}}
{{- $secrets := deepCopy .Values.secrets.extra }}
{{- with .Values.secrets.authPassword }}{{ $_ := set $secrets "SWITCHBOARD__AUTH__PASSWORD" . }}{{ end }}
{{- with .Values.secrets.apiKeys }}{{ $_ := set $secrets "SWITCHBOARD__AUTH__API_KEYS" (join "," .) }}{{ end }}
{{- with include "switchboard.agents" .Values.secrets.agentUsers }}{{ $_ := set $secrets "SWITCHBOARD__AGENTS__USERS" . }}{{ end }}
{{- with include "switchboard.agents" .Values.secrets.agentApiKeys }}{{ $_ := set $secrets "SWITCHBOARD__AGENTS__API_KEYS" . }}{{ end }}
{{- with .Values.secrets.adminPassword }}{{ $_ := set $secrets "SWITCHBOARD__ADMIN__PASSWORD" . }}{{ end }}
{{- with include "switchboard.operators" .Values.secrets.operators }}{{ $_ := set $secrets "SWITCHBOARD__OPERATORS__USERS" . }}{{ end }}
{{- with .Values.secrets.singleSignOnClientSecret }}{{ $_ := set $secrets "SWITCHBOARD__SINGLE_SIGN_ON__CLIENT_SECRET" . }}{{ end }}
{{- with .Values.secrets.redisPassword }}{{ $_ := set $secrets "SWITCHBOARD__REDIS__PASSWORD" . }}{{ end }}
{{- with .Values.secrets.sentinelPassword }}{{ $_ := set $secrets "SWITCHBOARD__REDIS__SENTINEL_PASSWORD" . }}{{ end }}
{{- if include "switchboard.urlHasCredentials" . }}
{{- $_ := set $secrets "SWITCHBOARD__REDIS__URL" .Values.redis.url }}
{{- end }}
{{- if $secrets }}{{ toYaml $secrets }}{{ end }}
{{- end }}

{{/* The Secret that becomes the environment; empty if there is none. */}}
{{- define "switchboard.envSecret" -}}
{{- if .Values.existingSecret }}
{{- .Values.existingSecret }}
{{- else if include "switchboard.secrets" . }}
{{- include "switchboard.fullname" . }}
{{- end }}
{{- end }}

{{/* The Secret with the password of the own Redis. */}}
{{- define "switchboard.ownRedisSecret" -}}
{{- default (printf "%s-redis" (include "switchboard.fullname" .)) .Values.redis.own.existingSecret }}
{{- end }}
