{{/* What all pods have. */}}
{{- define "docserver.pod" -}}
automountServiceAccountToken: false
# Otherwise Kubernetes would describe each Service of the namespace in variables, some of which look like settings.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- $own := dict "runAsNonRoot" true "fsGroupChangePolicy" "OnRootMismatch" "seccompProfile" (dict "type" "RuntimeDefault") }}
  {{- merge (deepCopy (default dict .Values.podSecurityContext)) $own | toYaml | nindent 2 }}
{{- end -}}

{{/* What all containers have, but for the variables. */}}
{{- define "docserver.container" -}}
image: {{ include "docserver.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "docserver.secretVariable" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret.name | quote }}
      key: {{ .secret.key | quote }}
{{- end -}}

{{/* The variables of all containers. */}}
{{- define "docserver.variables" -}}
{{ include "docserver.secretVariable" (dict "variable" "DOCSERVER_MYSQL_URL" "secret" .Values.secrets.mysqlUrl) }}
{{ include "docserver.secretVariable" (dict "variable" "DOCSERVER_REDIS_URL" "secret" .Values.secrets.redisUrl) }}
{{- if .Values.secrets.secretKey.name }}
{{ include "docserver.secretVariable" (dict "variable" "DOCSERVER_SECRET_KEY" "secret" .Values.secrets.secretKey) }}
{{- end }}
{{- if .Values.storage.bucketUrl }}
- name: DOCSERVER_STORAGE_URL
  value: {{ .Values.storage.bucketUrl | quote }}
{{- with .Values.secrets.s3AccessKeyId }}{{ if .name }}
{{ include "docserver.secretVariable" (dict "variable" "AWS_ACCESS_KEY_ID" "secret" .) }}
{{- end }}{{ end }}
{{- with .Values.secrets.s3SecretAccessKey }}{{ if .name }}
{{ include "docserver.secretVariable" (dict "variable" "AWS_SECRET_ACCESS_KEY" "secret" .) }}
{{- end }}{{ end }}
{{- end }}
- name: DOCSERVER_PORT
  value: "8000"
- name: DOCSERVER_METRICS_PORT
  value: "9464"
- name: DOCSERVER_DATA_DIR
  value: /data
{{- range $name, $value := .Values.settings }}
{{- if not (kindIs "invalid" $value) }}
- name: DOCSERVER_{{ $name }}
  {{- $text := include "docserver.text" $value }}
  {{- if and (eq $name "ALLOWED_HOSTS") (ne $text "") }}
  {{- /* The kubelet asks for localhost when it checks the API, and pods for the Service. */}}
  {{- $text = concat (list $text "localhost") (include "docserver.serviceHosts" $ | splitList ",") (ternary $.Values.ingress.hosts list $.Values.ingress.enabled) | join "," }}
  {{- end }}
  value: {{ $text | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "docserver.volumeMounts" -}}
- name: data
  mountPath: /data
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "docserver.volumes" -}}
- name: data
  {{- if .Values.storage.bucketUrl }}
  emptyDir:
    sizeLimit: {{ .Values.storage.localSize | quote }}
  {{- else }}
  persistentVolumeClaim:
    claimName: {{ include "docserver.claim" . | quote }}
  {{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 256Mi
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where the pods of a component run: spread over nodes and zones, those of each version for themselves. */}}
{{- define "docserver.placement" -}}
topologySpreadConstraints:
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "docserver.selector" $.root | nindent 8 }}
        app.kubernetes.io/component: {{ $.component }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- include "docserver.nodes" .values }}
{{- end -}}

{{/* Which nodes the pods of a component may run on, and before which others. */}}
{{- define "docserver.nodes" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
