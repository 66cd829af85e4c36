{{/* Labels that select pods. They never change within a release. */}}
{{- define "switchboard.selector" -}}
app.kubernetes.io/name: {{ include "switchboard.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* All labels of an object, as YAML. Takes a list: the root, and maps of further labels, the last of which takes precedence. Labels of
     the chart override all of them. */}}
{{- define "switchboard.labels" -}}
{{- $root := first . }}
{{- $labels := deepCopy $root.Values.commonLabels }}
{{- range rest . }}{{ $labels = mergeOverwrite $labels (deepCopy (. | default dict)) }}{{ end }}
{{- $own := include "switchboard.selector" $root | fromYaml }}
{{- $_ := set $own "app.kubernetes.io/version" ($root.Chart.AppVersion | replace "+" "_" | trunc 63) }}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- toYaml (mergeOverwrite $labels $own) }}
{{- end }}

{{/* The labels of an object with a component. Takes a list: the root, the component, and maps as above. */}}
{{- define "switchboard.componentLabels" -}}
{{- $component := dict "app.kubernetes.io/component" (index . 1) }}
{{- include "switchboard.labels" (concat (list (first .)) (slice . 2) (list $component)) }}
{{- end }}

{{/* The labels of a pod: as those of an object, without the chart, so that a new chart alone replaces no pods. */}}
{{- define "switchboard.podLabels" -}}
{{- $labels := include "switchboard.componentLabels" . | fromYaml }}
{{- toYaml (omit $labels "helm.sh/chart" "app.kubernetes.io/managed-by") }}
{{- end }}

{{/* `annotations:` of an object, or nothing. Takes a list: the root, and maps, the last of which takes precedence. */}}
{{- define "switchboard.annotations" -}}
{{- $annotations := deepCopy (first .).Values.commonAnnotations }}
{{- range rest . }}{{ $annotations = mergeOverwrite $annotations (deepCopy (. | default dict)) }}{{ end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
