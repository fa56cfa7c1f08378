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

{{- define "docserver.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
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

{{/* Stops Helm if the URL of the bucket has a password, or a parameter that is a key or a token: values are in Helm's
records, and in the pods' specifications. */}}
{{- define "docserver.checkBucketUrl" -}}
{{- $url := .Values.storage.bucketUrl | replace "%3A" ":" | replace "%3a" ":" | replace "%40" "@" -}}
{{- if regexMatch "^\\w+://[^/?]*@|^\\w+://.*:[^&]*@" $url -}}
{{- fail "storage.bucketUrl has a user or a password in it. Keys come from a Secret: see secrets in values.yaml." -}}
{{- end -}}
{{- range rest (regexSplit "[?&#;]" .Values.storage.bucketUrl -1) -}}
{{- $name := splitList "=" . | first | lower -}}
{{- if contains "%" $name -}}
{{- fail "storage.bucketUrl has a parameter with % in its name: write the name as it is." -}}
{{- end -}}
{{- if include "docserver.namesKey" $name -}}
{{- printf "storage.bucketUrl must be without %s: keys, tokens and passwords come from a Secret, those of s3:// by secrets.s3AccessKeyId and secrets.s3SecretAccessKey, others by extraEnv with valueFrom." $name | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Stops Helm if a variable of extraEnv has a password as its value. */}}
{{- define "docserver.checkExtraEnv" -}}
{{- range .Values.extraEnv -}}
{{- if and .value (or (include "docserver.namesKey" (toString .name | lower)) (regexMatch "://[^/]*:[^/]*@" (toString .value))) -}}
{{- printf "extraEnv must not have the value of %s: let it come from a Secret, by valueFrom." .name | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Text if a name, in lower case, is that of a key, a token or a password. Names of files, of algorithms and of keys
that others keep are not. */}}
{{- define "docserver.namesKey" -}}
{{- $harmless := "sse_kms_key_id|sse_bucket_key_enabled|skip_signature|(token|key|secret|password)_file|token_service_url|credential_type|application_credentials|otlp(_[a-z]+)?_client_key" -}}
{{- if not (regexMatch (printf "(^|_)(%s)$" $harmless) .) -}}
{{- regexFind "key|secret|token|passw|pwd|credential|sas|sig$|signature|headers$" . -}}
{{- end -}}
{{- end -}}
