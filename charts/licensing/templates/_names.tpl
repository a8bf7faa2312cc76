{{/* Labels of every object that has no file: what it belongs to, and by which chart. */}}
{{- define "licensing.labels" -}}
{{- with .component }}
app.kubernetes.io/name: enclave-{{ . }}
{{- end }}
app.kubernetes.io/part-of: enclave-licensing
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "licensing.selector" -}}
app.kubernetes.io/name: enclave-{{ .component }}
{{- end }}

{{/* registry/enclave-certs@sha256:..., or by tag where no digest is given. */}}
{{- define "licensing.image" -}}
{{- $images := .root.Values.images -}}
{{- $name := ternary .component (printf "enclave-%s" .component) (hasPrefix "enclave" .component) -}}
{{- with index $images.digests .component -}}
{{ $images.registry }}/{{ $name }}@{{ . }}
{{- else -}}
{{ $images.registry }}/{{ $name }}:{{ $images.tag | default $.root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "licensing.sidecarImage" -}}
{{- if not .Values.images.digests.sidecar }}
{{- fail "images.digests.sidecar is empty: pods are injected with the sidecar by digest. A packaged chart holds all digests; from a checkout run `make images` and add `-f dist/images/values.yaml`" }}
{{- end -}}
{{ include "licensing.image" (dict "root" . "component" "sidecar") }}
{{- end }}

{{/*
Sidecars of the release before, separated by commas: pods that run one go on being served. Told by the values, or else by the agents that are
installed now: the newest that is not this release's.
*/}}
{{- define "licensing.formerSidecars" -}}
{{- $current := include "licensing.sidecarImage" . -}}
{{- $former := .Values.images.formerSidecars -}}
{{- if not $former -}}
{{- $agents := lookup "apps/v1" "DaemonSet" .Release.Namespace "enclave-agent" -}}
{{- range (dig "spec" "template" "spec" "containers" list $agents) -}}
{{- range .args -}}
{{- if hasPrefix "--sidecar-images=" . -}}
{{- $former = without (splitList "," (trimPrefix "--sidecar-images=" .)) $current | first | default "" | list | compact -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ without $former $current | join "," }}
{{- end }}
