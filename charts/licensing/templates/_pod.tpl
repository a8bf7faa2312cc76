{{/* What all components' pods have in common. */}}
{{- define "licensing.podMetadata" -}}
labels:
  {{- include "licensing.labels" . | nindent 2 }}
{{- if not .root.Values.podMonitor.enabled }}
annotations:
  prometheus.io/scrape: "true"
  prometheus.io/port: "9464"
{{- end }}
{{- end }}

{{- define "licensing.podSpec" -}}
{{- $values := index .root.Values .component -}}
serviceAccountName: enclave-{{ .component }}
# The token is mounted below, with its audience and lifetime.
automountServiceAccountToken: false
# A Service named enclave-certs would set ENCLAVE_CERTS_PORT, which is the environment of --port.
enableServiceLinks: false
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
nodeSelector:
  {{- mustMerge (dict "kubernetes.io/os" "linux") $values.nodeSelector | toYaml | nindent 2 }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "licensing.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "licensing.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* Replicas on different nodes and in different zones, as far as there are any. */}}
{{- define "licensing.spread" -}}
topologySpreadConstraints:
  # Of one topology alone: the scheduler takes no notice of any of them on nodes that lack the label of one, and few clusters have zones.
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "licensing.selector" $ | nindent 8 }}
{{- if not (index .root.Values .component).affinity }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: topology.kubernetes.io/zone
          labelSelector:
            matchLabels:
              {{- include "licensing.selector" $ | nindent 14 }}
{{- end }}
{{- end }}

{{/* Flags and environment that every component has. */}}
{{- define "licensing.commonArgs" -}}
- --bind=$(POD_IP)
- --release-namespace={{ .Release.Namespace }}
- --log-level={{ .Values.logLevel }}
{{- end }}

{{- define "licensing.commonEnv" -}}
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
# V8 gives memory back when it nears its heap's limit. Left alone it takes 256 MB for that, however small the container; the rest is what is no heap.
- name: NODE_OPTIONS
  value: --max-old-space-size-percentage=60
{{- end }}

{{/* Alive from the first moment, ready when each part has said so: what a component waits for is no reason to restart it. */}}
{{- define "licensing.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: health }
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: health }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /livez, port: health }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{- define "licensing.tokenMount" -}}
- name: api-access
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}

{{- define "licensing.tokenVolume" -}}
- name: api-access
  projected:
    sources:
      - serviceAccountToken: { path: token, expirationSeconds: 3600 }
      - configMap:
          name: kube-root-ca.crt
          items: [{ key: ca.crt, path: ca.crt }]
{{- end }}

{{- define "licensing.rootsMount" -}}
- name: roots
  mountPath: /etc/enclave-licensing
  readOnly: true
{{- end }}

{{/* Written by the certificate service: the pod waits until it is there. */}}
{{- define "licensing.rootsVolume" -}}
- name: roots
  configMap: { name: enclave-licensing-roots }
{{- end }}

{{- define "licensing.rootsArg" -}}
- --roots-file=/etc/enclave-licensing/roots.json
{{- end }}

{{- define "licensing.certsArg" -}}
- --certs=enclave-certs.{{ .Release.Namespace }}.svc:8446
{{- end }}

{{- define "licensing.replicas" -}}
{{ ternary 2 1 .Values.ha }}
{{- end }}

{{/* The names that front's certificate has besides its own. */}}
{{- define "licensing.publicNames" -}}
{{ join "," .Values.front.publicNames }}
{{- end }}
