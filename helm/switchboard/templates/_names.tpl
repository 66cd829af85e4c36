{{/* The name of the application: a label, and a part of fullname. */}}
{{- define "switchboard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The prefix of all object names. The longest one that counts is that of the StatefulSet of Redis: with
     fullname-redis it has at most 52 characters, so that the names of its pods and revisions fit into labels (63). A
     longer name is cut, and its hash keeps releases apart that differ only at the end. */}}
{{- define "switchboard.fullname" -}}
{{- $name := include "switchboard.wantedFullname" . }}
{{- if gt (len $name) 46 }}
{{- printf "%s-%s" ($name | trunc 37 | trimSuffix "-") ($name | sha256sum | trunc 8) }}
{{- else }}
{{- $name }}
{{- end }}
{{- end }}

{{- define "switchboard.wantedFullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name }}
{{- end }}
{{- end }}

{{- define "switchboard.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "switchboard.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* Fails if an object could not have its name. Names of Services are the strictest (RFC 1035). */}}
{{- define "switchboard.checkNames" -}}
{{- $name := include "switchboard.wantedFullname" . }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) }}
{{- $from := "the release name" }}
{{- if .Values.fullnameOverride }}
{{- $from = "fullnameOverride" }}
{{- else if .Values.nameOverride }}
{{- $from = "the release name and nameOverride" }}
{{- end }}
{{- fail (printf "%q, from %s, cannot be the name of a Service: use lowercase letters, digits and '-', begin with a letter and end with a letter or digit; set fullnameOverride to such a name" $name $from) }}
{{- end }}
{{- if not (regexMatch "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$" (include "switchboard.name" .)) }}
{{- fail (printf "nameOverride is %q, which cannot be a label: use letters, digits, '-', '_' and '.', begin and end with a letter or digit" .Values.nameOverride) }}
{{- end }}
{{- end }}
