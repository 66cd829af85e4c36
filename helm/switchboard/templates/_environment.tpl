{{/* Variables that the chart sets, and the values that set them. */}}
{{- define "switchboard.ownedVariables" -}}
SWITCHBOARD__SERVER__LISTEN: listenHost
SWITCHBOARD__SERVER__PRIVATE_LISTEN: listenHost
SWITCHBOARD__REDIS__URL: redis.url or existingSecret
SWITCHBOARD__REDIS__URL_FILE: redis.url or existingSecret
SWITCHBOARD__REDIS__MODE: redis.mode
SWITCHBOARD__REDIS__USERNAME: redis.username
SWITCHBOARD__REDIS__PASSWORD: redis.passwordSecret
SWITCHBOARD__REDIS__SENTINEL_MASTER: redis.sentinelMaster
SWITCHBOARD__REDIS__SENTINEL_PASSWORD: redis.sentinelPasswordSecret
SWITCHBOARD__REDIS__TLS_CA_FILE: redis.tls
SWITCHBOARD__REDIS__TLS_CERT_FILE: redis.tls
SWITCHBOARD__REDIS__TLS_KEY_FILE: redis.tls
SWITCHBOARD__TLS__CERTIFICATE_FILE: tls.secretName
SWITCHBOARD__TLS__KEY_FILE: tls.secretName
SWITCHBOARD__CATALOG__FILE: catalog
{{- if or (eq .Values.redis.kind "own") .Values.redis.passwordSecret.name .Values.secrets.redisPassword }}
SWITCHBOARD__REDIS__PASSWORD_FILE: redis.passwordSecret
{{- end }}
{{- if or .Values.redis.sentinelPasswordSecret.name .Values.secrets.sentinelPassword }}
SWITCHBOARD__REDIS__SENTINEL_PASSWORD_FILE: redis.sentinelPasswordSecret
{{- end }}
{{- if .Values.secrets.authPassword }}
SWITCHBOARD__AUTH__PASSWORD: secrets.authPassword
SWITCHBOARD__AUTH__PASSWORD_FILE: secrets.authPassword
{{- end }}
{{- if .Values.secrets.apiKeys }}
SWITCHBOARD__AUTH__API_KEYS: secrets.apiKeys
SWITCHBOARD__AUTH__API_KEYS_FILE: secrets.apiKeys
{{- end }}
{{- if .Values.secrets.agentUsers }}
SWITCHBOARD__AGENTS__USERS: secrets.agentUsers
SWITCHBOARD__AGENTS__USERS_FILE: secrets.agentUsers
{{- end }}
{{- if .Values.secrets.agentApiKeys }}
SWITCHBOARD__AGENTS__API_KEYS: secrets.agentApiKeys
SWITCHBOARD__AGENTS__API_KEYS_FILE: secrets.agentApiKeys
{{- end }}
{{- if .Values.secrets.adminPassword }}
SWITCHBOARD__ADMIN__PASSWORD: secrets.adminPassword
SWITCHBOARD__ADMIN__PASSWORD_FILE: secrets.adminPassword
{{- end }}
{{- if .Values.secrets.operators }}
SWITCHBOARD__OPERATORS__USERS: secrets.operators
SWITCHBOARD__OPERATORS__USERS_FILE: secrets.operators
{{- end }}
{{- if .Values.secrets.singleSignOnClientSecret }}
SWITCHBOARD__SINGLE_SIGN_ON__CLIENT_SECRET: secrets.singleSignOnClientSecret
SWITCHBOARD__SINGLE_SIGN_ON__CLIENT_SECRET_FILE: secrets.singleSignOnClientSecret
{{- end }}
{{- if .Values.tracing.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: tracing.endpoint
OTEL_TRACES_SAMPLER_ARG: tracing.sampleRatio
K8S_POD_NAME: tracing.endpoint
EXTRA_RESOURCE_ATTRIBUTES: tracing.endpoint
{{- end }}
{{- end }}

{{- define "switchboard.secretVariable" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end }}

{{/* The variables of the container: those of the chart, extraEnv, and those of traces, which may refer to extraEnv. */}}
{{- define "switchboard.environment" -}}
# The image has a value for it, which would override that of the file.
- name: SWITCHBOARD__SERVER__LISTEN
  value: {{ printf "%s:8080" .Values.listenHost | quote }}
{{- with .Values.redis }}
{{- if eq .kind "own" }}
- name: SWITCHBOARD__REDIS__URL
  value: redis://{{ include "switchboard.fullname" $ }}-redis:6379
{{ include "switchboard.secretVariable" (list "SWITCHBOARD__REDIS__PASSWORD" (include "switchboard.ownRedisSecret" $) "redis-password") }}
{{- else if eq .kind "external" }}
{{- if and .url (not (include "switchboard.urlHasCredentials" $)) }}
- name: SWITCHBOARD__REDIS__URL
  value: {{ .url | quote }}
{{- else }}
# Referenced by its key, so that pods do not start on the embedded store if the Secret lacks it.
{{ include "switchboard.secretVariable" (list "SWITCHBOARD__REDIS__URL" (include "switchboard.envSecret" $) "SWITCHBOARD__REDIS__URL") }}
{{- end }}
{{- with .passwordSecret }}
{{- if .name }}
{{ include "switchboard.secretVariable" (list "SWITCHBOARD__REDIS__PASSWORD" .name .key) }}
{{- end }}
{{- end }}
{{- with .sentinelPasswordSecret }}
{{- if .name }}
{{ include "switchboard.secretVariable" (list "SWITCHBOARD__REDIS__SENTINEL_PASSWORD" .name .key) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if not (and $.Values.tracing.endpoint (eq .name "OTEL_RESOURCE_ATTRIBUTES")) }}
- {{ toYaml . | nindent 2 | trim }}
{{- end }}
{{- end }}
{{- if .Values.tracing.endpoint }}
{{ include "switchboard.tracingVariables" . }}
{{- end }}
{{- end }}

{{/* Variables for traces. Attributes of extraEnv override those of the chart. */}}
{{- define "switchboard.tracingVariables" -}}
{{- $names := list }}
{{- $given := "" }}
{{- $from := dict }}
{{- range .Values.extraEnv }}
{{- $names = append $names .name }}
{{- if eq .name "OTEL_RESOURCE_ATTRIBUTES" }}
{{- $given = .value | default "" | trim | trimAll "," }}
{{- $from = .valueFrom | default dict }}
{{- end }}
{{- end }}
{{- $attributes := list }}
{{- range $pair := list "service.instance.id=$(K8S_POD_NAME)" "k8s.pod.name=$(K8S_POD_NAME)" (printf "k8s.namespace.name=%s" .Release.Namespace) }}
{{- $key := splitList "=" $pair | first }}
{{- if not (regexMatch (printf "(^|,)\\s*%s\\s*=" (regexQuoteMeta $key)) $given) }}
{{- $attributes = append $attributes $pair }}
{{- end }}
{{- end }}
{{- with $given }}{{ $attributes = append $attributes . }}{{ end }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .Values.tracing.endpoint | quote }}
{{- if not (has "OTEL_TRACES_SAMPLER" $names) }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
{{- end }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .Values.tracing.sampleRatio | quote }}
- name: K8S_POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- if $from }}
{{- $attributes = append $attributes "$(EXTRA_RESOURCE_ATTRIBUTES)" }}
- name: EXTRA_RESOURCE_ATTRIBUTES
  valueFrom: {{ toJson $from }}
{{- end }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: {{ join "," $attributes | quote }}
{{- end }}
