{{/* Who owns an installed CRD that is not this release's: a sentence's end; empty when it is ours, or not installed. */}}
{{- define "licensing.foreignCrd" -}}
{{- with lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" .name -}}
{{- $annotations := .metadata.annotations | default dict -}}
{{- $name := index $annotations "meta.helm.sh/release-name" | default "" -}}
{{- $namespace := index $annotations "meta.helm.sh/release-namespace" | default "" -}}
{{- if not $name -}}
installed without helm
{{- else if or (ne $name $.root.Release.Name) (ne $namespace $.root.Release.Namespace) -}}
of release {{ $name }} in namespace {{ $namespace }}
{{- end -}}
{{- end -}}
{{- end }}
