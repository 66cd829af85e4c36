{{- define "switchboard.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "switchboard.scheme" -}}
{{ if .Values.tls.secretName }}https{{ else }}http{{ end }}
{{- end }}

{{/* The minimum number of pods. */}}
{{- define "switchboard.minPods" -}}
{{ if .Values.autoscaling.enabled }}{{ .Values.autoscaling.minReplicas }}{{ else }}{{ .Values.replicaCount }}{{ end }}
{{- end }}

{{/* The termination grace period in seconds: drain, requests in flight, and some for the exit. */}}
{{- define "switchboard.terminationSeconds" -}}
{{- $grace := dig "server" "drain_seconds" 5 .Values.settings }}
{{- $finish := dig "server" "shutdown_timeout_seconds" 20 .Values.settings }}
{{- add .Values.preStopSleepSeconds $grace $finish 10 }}
{{- end }}

{{/* The number of `value`, a number or percentage, of `total` pods, rounded up as Kubernetes does it. */}}
{{- define "switchboard.scaled" -}}
{{- $value := toString .value }}
{{- if hasSuffix "%" $value }}
{{- div (add (mul (trimSuffix "%" $value | int) .total) 99) 100 }}
{{- else }}
{{- int $value }}
{{- end }}
{{- end }}

{{/* IP families of a Service. */}}
{{- define "switchboard.ipFamilies" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The part of a Service's spec that depends on its type. Takes service or service.private. */}}
{{- define "switchboard.serviceType" -}}
type: {{ .type }}
{{- if ne .type "ClusterIP" }}
externalTrafficPolicy: {{ .externalTrafficPolicy }}
{{- end }}
{{- with .loadBalancerClass }}
loadBalancerClass: {{ . }}
{{- end }}
{{- with .loadBalancerSourceRanges }}
loadBalancerSourceRanges:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The common part of the pods of the service and of Redis. */}}
{{- define "switchboard.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
