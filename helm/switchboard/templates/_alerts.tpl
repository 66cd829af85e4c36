{{/* The groups of files/alerts.yml with the changes of monitoring.prometheusRule.alerts, as YAML. */}}
{{- define "switchboard.alertGroups" -}}
{{- $values := .Values.monitoring.prometheusRule }}
{{- $groups := list }}
{{- range $group := (.Files.Get "files/alerts.yml" | fromYaml).groups }}
{{- $rules := list }}
{{- range $rule := $group.rules }}
{{- $change := get $values.alerts $rule.alert | default dict }}
{{- if ne (toString $change.enabled) "false" }}
{{- $annotations := $rule.annotations }}
{{- with $values.runbookUrl }}
{{- $_ := set $annotations "runbook_url" (printf "%s#%s" (trimSuffix "#" .) (lower $rule.alert)) }}
{{- end }}
{{- if hasKey $change "threshold" }}
{{- $old := printf "([<>]=?) %s\\b" (regexQuoteMeta $annotations.threshold) }}
{{- $_ := set $rule "expr" (regexReplaceAll $old $rule.expr (printf "${1} %v" $change.threshold)) }}
{{- $_ := set $annotations "threshold" (toString $change.threshold) }}
{{- end }}
{{- with $change.for }}{{ $_ := set $rule "for" . }}{{ end }}
{{- $labels := merge (dict) ($change.labels | default dict) $values.alertLabels $rule.labels }}
{{- with $change.severity }}{{ $_ := set $labels "severity" . }}{{ end }}
{{- $_ := set $rule "labels" $labels }}
{{- $rules = append $rules $rule }}
{{- end }}
{{- end }}
{{- if $rules }}
{{- $groups = append $groups (dict "name" $group.name "rules" $rules) }}
{{- end }}
{{- end }}
{{- toYaml $groups }}
{{- end }}
