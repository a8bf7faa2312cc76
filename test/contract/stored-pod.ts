/** A pod spec with what people leave out or write in another form. */
export const WRITTEN_POD_SPEC = {
  serviceAccountName: 'default',
  hostNetwork: false,
  nodeSelector: {},
  securityContext: { fsGroup: 65532, runAsNonRoot: true },
  initContainers: [
    {
      name: 'side',
      image: 'reg/x@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      restartPolicy: 'Always',
      startupProbe: { tcpSocket: { port: 8443 }, initialDelaySeconds: 0, failureThreshold: 60 },
      readinessProbe: { httpGet: { port: 9464 } },
      env: [
        { name: 'A', value: '' },
        { name: 'B', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ],
      resources: { limits: { cpu: '0.5', memory: '1024Mi' } },
      volumeMounts: [{ name: 't', mountPath: '/t', readOnly: true }],
      securityContext: { readOnlyRootFilesystem: false, capabilities: { drop: ['ALL'] } },
      ports: [{ containerPort: 8443, name: 'enclave' }],
    },
  ],
  containers: [
    {
      name: 'app',
      image: 'demo-app',
      command: [],
      args: ['x'],
      stdin: false,
      livenessProbe: { grpc: { port: 1 } },
      lifecycle: { preStop: { httpGet: { port: 1 } } },
      resources: { requests: { cpu: '1500m', memory: '1000000' }, limits: { cpu: '2000m' } },
      env: [{ name: 'R', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } }],
      envFrom: [{ configMapRef: { name: 'c1' } }],
    },
  ],
  volumes: [
    {
      name: 't',
      projected: {
        sources: [
          { serviceAccountToken: { path: 'token', audience: 'x' } },
          { downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] } },
        ],
      },
    },
    { name: 'e', emptyDir: { medium: 'Memory' } },
    { name: 'n' },
    { name: 'h', hostPath: { path: '/x' } },
    { name: 'c', configMap: { name: 'c1', optional: false } },
    { name: 's', secret: { secretName: 's1' } },
  ],
  automountServiceAccountToken: undefined,
};

/** The same as kube-apiserver 1.36.3 stored it. */
export const STORED_POD_SPEC = {
  containers: [
    {
      args: ['x'],
      env: [{ name: 'R', valueFrom: { resourceFieldRef: { divisor: '0', resource: 'limits.cpu' } } }],
      envFrom: [{ configMapRef: { name: 'c1' } }],
      image: 'demo-app',
      imagePullPolicy: 'Always',
      lifecycle: { preStop: { httpGet: { path: '/', port: 1, scheme: 'HTTP' } } },
      livenessProbe: {
        failureThreshold: 3,
        grpc: { port: 1, service: '' },
        periodSeconds: 10,
        successThreshold: 1,
        timeoutSeconds: 1,
      },
      name: 'app',
      resources: { limits: { cpu: '2' }, requests: { cpu: '1500m', memory: '1M' } },
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      volumeMounts: [
        {
          mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
          name: 'kube-api-access-x',
          readOnly: true,
        },
      ],
    },
  ],
  dnsPolicy: 'ClusterFirst',
  enableServiceLinks: true,
  initContainers: [
    {
      env: [
        { name: 'A' },
        { name: 'B', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } },
      ],
      image: 'reg/x@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      imagePullPolicy: 'IfNotPresent',
      name: 'side',
      ports: [{ containerPort: 8443, name: 'enclave', protocol: 'TCP' }],
      readinessProbe: {
        failureThreshold: 3,
        httpGet: { path: '/', port: 9464, scheme: 'HTTP' },
        periodSeconds: 10,
        successThreshold: 1,
        timeoutSeconds: 1,
      },
      resources: { limits: { cpu: '500m', memory: '1Gi' }, requests: { cpu: '500m', memory: '1Gi' } },
      restartPolicy: 'Always',
      securityContext: { capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: false },
      startupProbe: {
        failureThreshold: 60,
        periodSeconds: 10,
        successThreshold: 1,
        tcpSocket: { port: 8443 },
        timeoutSeconds: 1,
      },
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      volumeMounts: [
        { mountPath: '/t', name: 't', readOnly: true },
        {
          mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
          name: 'kube-api-access-x',
          readOnly: true,
        },
      ],
    },
  ],
  preemptionPolicy: 'PreemptLowerPriority',
  priority: 0,
  restartPolicy: 'Always',
  schedulerName: 'default-scheduler',
  securityContext: { fsGroup: 65532, runAsNonRoot: true },
  serviceAccount: 'default',
  serviceAccountName: 'default',
  terminationGracePeriodSeconds: 30,
  tolerations: [
    { effect: 'NoExecute', key: 'node.kubernetes.io/not-ready', operator: 'Exists', tolerationSeconds: 300 },
    {
      effect: 'NoExecute',
      key: 'node.kubernetes.io/unreachable',
      operator: 'Exists',
      tolerationSeconds: 300,
    },
  ],
  volumes: [
    {
      name: 't',
      projected: {
        defaultMode: 420,
        sources: [
          { serviceAccountToken: { audience: 'x', expirationSeconds: 3600, path: 'token' } },
          {
            downwardAPI: {
              items: [{ fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.labels' }, path: 'l' }],
            },
          },
        ],
      },
    },
    { emptyDir: { medium: 'Memory' }, name: 'e' },
    { emptyDir: {}, name: 'n' },
    { hostPath: { path: '/x', type: '' }, name: 'h' },
    { configMap: { defaultMode: 420, name: 'c1', optional: false }, name: 'c' },
    { name: 's', secret: { defaultMode: 420, secretName: 's1' } },
    {
      name: 'kube-api-access-x',
      projected: {
        defaultMode: 420,
        sources: [
          { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
          { configMap: { items: [{ key: 'ca.crt', path: 'ca.crt' }], name: 'kube-root-ca.crt' } },
          {
            downwardAPI: {
              items: [{ fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' }, path: 'namespace' }],
            },
          },
        ],
      },
    },
  ],
};
