{{- /* Release and chart, but not the same word twice; 52 characters leave room for the suffixes of pods. */ -}}
{{- define "atom.name" -}}
{{- $both := printf "%s-%s" .Release.Name .Chart.Name -}}
{{- ternary .Release.Name $both (contains .Chart.Name .Release.Name) | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "atom.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "atom.labels" -}}
{{ include "atom.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: atom-cloud-marketplace
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "atom.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "atom.main" -}}
{{- index .Chart.Annotations "atom/main-service" -}}
{{- end -}}

{{- /* The Secret with the key that signs verdicts and decisions, for the chart that signs; none where Vault keeps it. */ -}}
{{- define "atom.registryKey" -}}
{{- if and (hasKey .Values.ports "marketplace") (not (dig "ATOM_VAULT_ADDR" "" .Values.settings)) -}}
{{ required "registryKeySecret must name the Secret with 1.pem, the key that signs verdicts and decisions, or settings.ATOM_VAULT_ADDR where it is kept" .Values.registryKeySecret }}
{{- end -}}
{{- end -}}
