import { describe, expect, test } from 'vitest';
import type { Container, Pod, Volume } from '../../injection/pod.ts';
import { injectedPod } from '../../injection/spec-sha256.ts';
import { INJECTED_ANNOTATION } from '../../names/labels.ts';
import { TOKEN_VOLUME } from '../../names/sidecar.ts';
import { validate } from '../../webhook/validate.ts';
import { APP_IMAGE, CONFIG, enclavePod, SIDECAR_IMAGE } from '../injection/support.ts';

/** The validating webhook compares the whole sidecar: what another webhook, or the author, changed of it in any field refuses the pod. */
const app = { name: 'app', image: APP_IMAGE, volumeMounts: [{ name: 'own', mountPath: '/data' }] };
const result = injectedPod(
  enclavePod({}, { containers: [app], volumes: [{ name: 'own', emptyDir: {} }] }),
  CONFIG,
);
if (!result.ok) throw new Error(result.message);
const injected = result.value;
const [sidecar] = injected.spec?.initContainers ?? [];
if (sidecar === undefined) throw new Error('no sidecar');
const good: Container = sidecar;

const judge = (pod: Pod): string => {
  const { metadata } = pod;
  const namespace = metadata?.namespace ?? '';
  const request = { uid: 'u', operation: 'CREATE', username: 'someone', namespace, pod };
  const judged = validate(request, CONFIG, 'enclave-licensing');
  return judged.ok ? 'allowed' : judged.code;
};
const withSidecar = (change: object, others: readonly Container[] = []): Pod => ({
  ...injected,
  spec: { ...injected.spec, initContainers: [{ ...good, ...change }, ...others] },
});
const withVolumes = (change: (volume: Volume) => Volume | undefined): Pod => ({
  ...injected,
  spec: {
    ...injected.spec,
    volumes: (injected.spec?.volumes ?? []).flatMap((volume) =>
      volume.name === TOKEN_VOLUME ? (change(volume) ?? []) : volume,
    ),
  },
});

test('what is injected is allowed, and what an API server or a LimitRange adds to it', () => {
  expect(judge(injected)).toBe('allowed');
  const resources = {
    requests: { ...good.resources?.requests, 'ephemeral-storage': '1Gi' },
    limits: { ...good.resources?.limits, cpu: '2', 'ephemeral-storage': '1Gi' },
  };
  expect(judge(withSidecar({ resources }))).toBe('allowed');
  expect(judge(withSidecar({}, [{ name: 'other', image: APP_IMAGE }]))).toBe('allowed');
});

const digest = SIDECAR_IMAGE.slice(SIDECAR_IMAGE.indexOf('@'));
const [env, volumeMounts, ports] = [good.env ?? [], good.volumeMounts ?? [], good.ports ?? []];
const [firstMount] = volumeMounts;
const security = (change: object) => ({ securityContext: { ...good.securityContext, ...change } });
const probe = (name: 'startupProbe' | 'readinessProbe', change: object) => ({
  [name]: { ...good[name], ...change },
});
const resources = (requests: object, limits: object) => ({
  resources: {
    requests: { ...good.resources?.requests, ...requests },
    limits: { ...good.resources?.limits, ...limits },
  },
});

const CHANGES: Readonly<Record<string, readonly object[]>> = {
  'image by digest': [
    { image: SIDECAR_IMAGE.replace(/.$/, (last) => (last === 'c' ? 'd' : 'c')) },
    { image: `evil.example/sidecar${digest}` },
    { image: SIDECAR_IMAGE.slice(0, SIDECAR_IMAGE.indexOf('@')) },
    { image: '' },
    { image: undefined },
    { imagePullPolicy: 'Never' },
  ],
  command: [
    { command: ['/bin/sh'] },
    { args: ['-c', 'true'] },
    { workingDir: '/data' },
    { stdin: true },
    { tty: true },
  ],
  environment: [
    { env: undefined },
    { env: [] },
    { env: env.slice(1) },
    { env: [...env, { name: 'NODE_OPTIONS', value: '--require=/data/x.js' }] },
    { env: [...env, env[0]] },
    { env: [...env].reverse() },
    { env: env.map((each) => (each.valueFrom === undefined ? each : { name: each.name, value: 'x' })) },
    { envFrom: [{ configMapRef: { name: 'more' } }] },
    ...env.map((each) => ({
      env: env.map((other) => (other === each ? { name: each.name, value: `${each.value}x` } : other)),
    })),
  ],
  mounts: [
    { volumeMounts: [] },
    { volumeMounts: [...volumeMounts, { name: 'own', mountPath: '/usr/lib' }] },
    { volumeMounts: [{ ...firstMount, readOnly: false }] },
    { volumeMounts: [{ ...firstMount, mountPath: '/elsewhere' }] },
    { volumeMounts: [{ ...firstMount, subPath: 'token' }] },
    { volumeMounts: [{ ...firstMount, mountPropagation: 'Bidirectional' }] },
    { volumeDevices: [{ name: 'own', devicePath: '/dev/x' }] },
  ],
  'security context': [
    { securityContext: undefined },
    { securityContext: {} },
    security({ allowPrivilegeEscalation: true }),
    security({ capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } }),
    security({ capabilities: { drop: [] } }),
    security({ privileged: true }),
    security({ readOnlyRootFilesystem: false }),
    security({ runAsGroup: 0 }),
    security({ runAsNonRoot: false }),
    security({ runAsUser: 0 }),
    security({ seccompProfile: { type: 'Unconfined' } }),
    security({ seLinuxOptions: { type: 'spc_t' } }),
    security({ appArmorProfile: { type: 'Unconfined' } }),
    security({ procMount: 'Unmasked' }),
  ],
  probes: [
    { startupProbe: undefined },
    { readinessProbe: undefined },
    probe('startupProbe', { tcpSocket: { port: 22 } }),
    probe('startupProbe', { failureThreshold: 1 }),
    probe('readinessProbe', { httpGet: { path: '/', port: 9464, scheme: 'HTTP' } }),
    probe('readinessProbe', { exec: { command: ['true'] } }),
    { livenessProbe: { exec: { command: ['/bin/sh'] } } },
    { lifecycle: { postStart: { exec: { command: ['/bin/sh'] } } } },
    { lifecycle: { preStop: { sleep: { seconds: 9 } } } },
  ],
  'resources out of bounds': [
    { resources: undefined },
    { resources: {} },
    resources({ cpu: '9' }, {}),
    resources({ cpu: '0' }, {}),
    resources({ memory: '1Mi' }, {}),
    resources({}, { memory: '5Gi' }),
    resources({}, { memory: '1Mi' }),
    resources({}, { 'nvidia.com/gpu': '1' }),
    { resources: { ...good.resources, claims: [{ name: 'device' }] } },
  ],
  'ports and life': [
    { ports: [] },
    { ports: [...ports, { containerPort: 22, protocol: 'TCP' }] },
    { ports: ports.map((each) => ({ ...each, hostPort: each.containerPort })) },
    { restartPolicy: undefined },
    { restartPolicy: 'Never' },
    { terminationMessagePath: '/data/x' },
    { terminationMessagePolicy: undefined },
  ],
};

describe.each(Object.entries(CHANGES))('%s', (_what, changes) => {
  test.each(
    changes.map((change) => [JSON.stringify(change, (_key, value) => value ?? null).slice(0, 100), change]),
  )('%s', (_text, change) => {
    expect(judge(withSidecar(change as object))).toBe('name-reserved');
  });
});

describe('the pod around it', () => {
  test('no sidecar, one that is not the first, one too many', () => {
    const { initContainers: _none, ...bare } = injected.spec ?? {};
    expect(judge({ ...injected, spec: bare })).toBe('sidecar-missing');
    expect(judge({ ...injected, spec: { ...bare, initContainers: [] } })).toBe('sidecar-missing');
    const other = { name: 'other', image: APP_IMAGE };
    expect(judge({ ...injected, spec: { ...bare, initContainers: [other, good] } })).toBe('sidecar-missing');
    expect(judge({ ...injected, spec: { ...bare, initContainers: [other] } })).toBe('sidecar-missing');
    const containers = [...(bare.containers ?? []), good];
    expect(judge({ ...injected, spec: { ...bare, containers } })).toBe('name-reserved');
  });

  test('its token volume', () => {
    expect(judge(withVolumes((volume) => volume))).toBe('allowed');
    expect(judge(withVolumes(() => undefined))).toBe('sidecar-missing');
    const [source] = (withVolumes((volume) => volume).spec?.volumes ?? []).flatMap(
      ({ projected }) => (projected?.sources ?? []) as { serviceAccountToken: object }[],
    );
    const token = (change: object) => ({
      serviceAccountToken: { ...source?.serviceAccountToken, ...change },
    });
    for (const projected of [
      { defaultMode: 0o444, sources: [token({ audience: 'other' })] },
      { defaultMode: 0o444, sources: [token({ expirationSeconds: 86_400 })] },
      { defaultMode: 0o444, sources: [token({ path: 'other' })] },
      { defaultMode: 0o444, sources: [token({}), { configMap: { name: 'more' } }] },
      { defaultMode: 0o777, sources: [token({})] },
      { defaultMode: 0o444, sources: [] },
    ])
      expect(judge(withVolumes(({ name }) => ({ name, projected }))), JSON.stringify(projected)).toBe(
        'name-reserved',
      );
    expect(judge(withVolumes(({ name }) => ({ name, emptyDir: {} })))).toBe('name-reserved');
  });

  test('the note that people read is not believed, and not left wrong', () => {
    const annotations = { ...injected.metadata?.annotations, [INJECTED_ANNOTATION]: 'nothing' };
    expect(judge({ ...injected, metadata: { ...injected.metadata, annotations } })).toBe('sidecar-missing');
  });
});
