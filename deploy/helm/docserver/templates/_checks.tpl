{{/* Stops Helm where a value cannot work, or would put a secret into Helm's records and the pods' specifications. Values
are not repeated: whoever reads the message may not be allowed to see them. */}}
{{- define "docserver.check" -}}
{{- include "docserver.checkSecrets" . -}}
{{- include "docserver.checkBucket" . -}}
{{- include "docserver.checkMemory" . -}}
{{- include "docserver.checkResources" (dict "api" .Values.api "worker" .Values.worker "migrations" .Values.migrations) -}}
{{- include "docserver.checkTwice" (dict "in" "extraEnv" "key" "name" "list" (include "docserver.variables" . | fromYamlArray)) -}}
{{- include "docserver.checkTwice" (dict "in" "extraVolumes" "key" "name" "list" (include "docserver.volumes" . | fromYamlArray)) -}}
{{- include "docserver.checkTwice" (dict "in" "extraVolumeMounts" "key" "mountPath" "list" (include "docserver.volumeMounts" . | fromYamlArray)) -}}
{{- $names := list -}}
{{- range .Values.extraVolumes -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- range .Values.extraVolumeMounts -}}
{{- if not (has .name $names) -}}
{{- printf "extraVolumeMounts names the volume %s, which extraVolumes has not." .name | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "docserver.checkTwice" -}}
{{- $seen := dict -}}
{{- range .list -}}
{{- $name := get . $.key | trimSuffix "/" -}}
{{- if hasKey $seen $name -}}
{{- printf "%s has %s, which is there already: in it, in settings, or by the chart itself." $.in $name | fail -}}
{{- end -}}
{{- $_ := set $seen $name true -}}
{{- end -}}
{{- end -}}

{{/* Only what can be told for sure: a URL with a password, and docserver's own secrets by their names. What Kubernetes
puts in for $(NAME) is none of the text. */}}
{{- define "docserver.checkSecrets" -}}
{{- $texts := dict "storage.bucketUrl" .Values.storage.bucketUrl -}}
{{- range $name, $value := .Values.settings -}}
{{- $_ := set $texts (printf "settings.%s" $name) (print $value) -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- $_ := set $texts (printf "The value of %s in extraEnv" .name) (printf "%s=%s" .name (default "" .value)) -}}
{{- end -}}
{{- range $name, $text := $texts -}}
{{- $text = regexReplaceAll "[$][(][^()]*[)]" $text "" -}}
{{- $secrets := "secret_(access_)?key|(session|bearer|sas)_token|account_key|client_secret|service_account_key" -}}
{{- if regexMatch (printf "://[^/?#@\\s]*:[^/?#@\\s]+@|(?i)(^|[?&])[a-z_]*(%s)=[^&]" $secrets) $text -}}
{{- printf "%s has a password, a key or a token in it: use an existing Secret, by secrets in values.yaml, or by extraEnv with valueFrom.secretKeyRef." $name | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "docserver.checkBucket" -}}
{{- $url := .Values.storage.bucketUrl -}}
{{- if $url -}}
{{- if not (regexMatch "^(s3://[-a-z0-9.]{3,63}|(gs|az)://[-a-z0-9._]{3,222})([/?][^#\\s]*)?$" $url) -}}
{{- fail "storage.bucketUrl must be like s3://bucket/prefix?region=…, gs://bucket/prefix or az://container/prefix." -}}
{{- end -}}
{{- include "docserver.checkParameters" $url -}}
{{- if not .Values.secrets.secretKey.name -}}
{{- fail "With storage.bucketUrl, secrets.secretKey.name must name a Secret: pods have no directory in common for a key of their own." -}}
{{- end -}}
{{- if and (regexMatch "[?&]endpoint=" $url) (not (regexMatch "[?&]endpoint=(https?(:|%3[Aa])|[$][(])" $url)) -}}
{{- fail "The endpoint in storage.bucketUrl must begin with https:// or http://." -}}
{{- end -}}
{{- $megabytes := addf (dig "STORAGE_CACHE_MB" 2000 .Values.settings | float64) (dig "MAX_UPLOAD_MB" 100 .Values.settings | float64) -}}
{{- if le (include "docserver.amount" .Values.storage.localSize | float64) (addf 2147483648 (mulf 1e6 $megabytes)) -}}
{{- fail "storage.localSize must be larger than settings.STORAGE_CACHE_MB, which is 2000 if unset, settings.MAX_UPLOAD_MB, which is 100, and 2Gi: Kubernetes ends pods with more." -}}
{{- end -}}
{{- end -}}
{{- if and (dig "STORAGE_REDIRECTS" "" .Values.settings | include "docserver.text" | regexMatch "(?i)^(1|on|true|yes)$") (not (hasPrefix "s3://" $url)) -}}
{{- fail "settings.STORAGE_REDIRECTS needs an S3 bucket in storage.bucketUrl." -}}
{{- end -}}
{{- if ne (empty (dig "s3AccessKeyId" "name" "" .Values.secrets)) (empty (dig "s3SecretAccessKey" "name" "" .Values.secrets)) -}}
{{- fail "secrets.s3AccessKeyId and secrets.s3SecretAccessKey must both name a Secret, or neither of them." -}}
{{- end -}}
{{- end -}}

{{/* Secrets have many names, so those of parameters without one are listed. A parameter that only Kubernetes gives a value,
by $(NAME), may have any name. */}}
{{- define "docserver.checkParameters" -}}
{{- $names := list
  "endpoint" "public_endpoint" "region" "virtual_hosted_style_request" "skip_signature" "request_payer" "unsigned_payload"
  "server_side_encryption" "sse_kms_key_id" "sse_bucket_key_enabled" "checksum_algorithm" "conditional_put"
  "copy_if_not_exists" "disable_tagging" "disable_bulk_delete" "metadata_endpoint" "endpoint_url_sts" "role_arn"
  "role_session_name" "web_identity_token_file" "container_credentials_relative_uri" "container_credentials_full_uri"
  "container_authorization_token_file" "account_name" "client_id" "tenant_id" "authority_host" "federated_token_file"
  "use_emulator" "application_credentials" "service_account" -}}
{{- $given := regexReplaceAll "[$][(][^()]*[)]" . "" -}}
{{- range splitList "&" (regexReplaceAll "^[^?]*[?]?" $given "") -}}
{{- if or (contains "%40" .) (not (regexMatch (printf "^((%s)=[^@]*|[a-z_]*=?)$" (join "|" $names)) .)) -}}
{{- printf "storage.bucketUrl may have these parameters alone, by these names, and no @ in their values: %s. Keys, tokens and passwords come from an existing Secret, by secrets in values.yaml, or by extraEnv with valueFrom.secretKeyRef." (join ", " $names) | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "docserver.checkMemory" -}}
{{- range $component := list "api" "worker" -}}
{{- $limit := dig "resources" "limits" "memory" "" (get $.Values $component) -}}
{{- if and $limit (lt (include "docserver.amount" $limit | float64) (mulf 1048576 (dig "CHILD_MEMORY_MB" 0 $.Values.settings | float64))) -}}
{{- printf "%s.resources.limits.memory must not be smaller than settings.CHILD_MEMORY_MB, which an OCR process may take." $component | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "docserver.checkResources" -}}
{{- range $component, $values := . -}}
{{- $limits := dig "resources" "limits" dict $values -}}
{{- range $name, $request := dig "resources" "requests" dict $values -}}
{{- if and (contains "/" $name) (not (hasKey $limits $name)) -}}
{{- printf "%s.resources.limits needs %s too: Kubernetes takes such a resource in requests only as in limits." $component $name | fail -}}
{{- end -}}
{{- if and (hasKey $limits $name) (gt (include "docserver.amount" $request | float64) (include "docserver.amount" (get $limits $name) | float64)) -}}
{{- printf "%s.resources.requests.%s must not be larger than %s.resources.limits.%s." $component $name $component $name | fail -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "docserver.amount" -}}
{{- $text := include "docserver.text" . -}}
{{- $number := regexFind "^[0-9.]+([eE][0-9]+)?" $text -}}
{{- $unit := trimPrefix $number $text -}}
{{- $amount := float64 $number -}}
{{- if has $unit (list "n" "u" "m") -}}
{{- $amount = divf $amount (get (dict "n" 1e9 "u" 1e6 "m" 1e3) $unit) -}}
{{- else if $unit -}}
{{- range until (index (dict "k" 1 "K" 1 "M" 2 "G" 3 "T" 4 "P" 5 "E" 6) (substr 0 1 $unit)) -}}
{{- $amount = mulf $amount (ternary 1024 1000 (hasSuffix "i" $unit)) -}}
{{- end -}}
{{- end -}}
{{- $amount -}}
{{- end -}}
