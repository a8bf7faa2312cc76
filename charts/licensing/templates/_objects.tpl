{{/*
Objects of files/*.yaml for this release's namespace. The files name the default one, enclave-licensing, in four ways, and the same text in
others (object names, labels, volumes) that stay. test/charts/chart-objects.test.ts compares.
*/}}
{{- define "licensing.file" -}}
{{- $text := .root.Files.Get (printf "files/%s" .file) -}}
{{- if not $text }}{{ fail (printf "the chart lacks files/%s" .file) }}{{ end -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $text = regexReplaceAll "(?m)^(\\s*namespace:) enclave-licensing$" $text (printf "${1} %s" $namespace) -}}
{{- $text = $text | replace "[enclave-licensing, kube-system]" (printf "[%s, kube-system]" $namespace) -}}
{{- $text = $text | replace "system:serviceaccount:enclave-licensing:" (printf "system:serviceaccount:%s:" $namespace) -}}
{{ $text }}
{{- end }}
