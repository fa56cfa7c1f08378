{{- define "docserver.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $fullname := printf "%s-%s" .Release.Name $name -}}
{{- if .Values.fullnameOverride -}}
{{- $fullname = .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- $fullname = .Release.Name -}}
{{- end -}}
{{- $fullname = $fullname | trunc 50 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $fullname) -}}
{{- printf "No Service can have the name %s: set fullnameOverride to a name of a-z, 0-9 and - that begins with a letter." $fullname | fail -}}
{{- end -}}
{{- $fullname -}}
{{- end -}}

{{/* The names by which pods reach the API. Few clusters have another domain than cluster.local. */}}
{{- define "docserver.serviceHosts" -}}
{{- $name := include "docserver.fullname" . -}}
{{- $qualified := printf "%s.%s" $name .Release.Namespace -}}
{{- list $name $qualified (printf "%s.svc" $qualified) (printf "%s.svc.cluster.local" $qualified) | join "," -}}
{{- end -}}

{{- define "docserver.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "docserver.labels" -}}
{{ include "docserver.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "docserver.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "docserver.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "docserver.claim" -}}
{{- default (include "docserver.fullname" .) .Values.storage.existingClaim -}}
{{- end -}}

{{- define "docserver.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* The value of a setting as text. Helm reads whole numbers as floats, and would print large ones as
1e+06; and it reads `off` without quotes as a boolean. */}}
{{- define "docserver.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}
{{- printf "%.0f" . -}}
{{- else if kindIs "bool" . -}}
{{- ternary "on" "off" . -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}
