import { describe, expect, test } from 'vitest';
import { compareSidecar } from '../../injection/compare-sidecar.ts';
import { launchedPod } from '../../injection/launched-pod.ts';
import type { Container, Pod } from '../../injection/pod.ts';
import { parseProfile } from '../../injection/profile.ts';
import { expectedSpecSha256, injectedPod, specSha256 } from '../../injection/spec-sha256.ts';
import { ANNOTATIONS } from '../../names/labels.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { APP_IMAGE, CONFIG, enclavePod, OWNER_KEY, SIDECAR_IMAGE } from './support.ts';

const COMPARISON = {
  sidecarImages: [SIDECAR_IMAGE],
  enclaveDomain: CONFIG.enclaveDomain,
  acceptsRoots: (roots: string) => roots === CONFIG.roots,
};
const LAUNCH = { enclave: 'eabcdefghijklmno', ownerKeySha256: OWNER_KEY, namespace: 'shop' };
const PROFILE = {
  image: APP_IMAGE,
  upstream: 'unix:/run/enclave/app.sock',
  mode: 'http',
  args: ['--listen', ''],
  env: [
    { name: 'EMPTY', value: '' },
    { name: 'A', value: 'b' },
  ],
};

function injected(pod: Pod): Pod {
  const result = injectedPod(pod, CONFIG);
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

function profile() {
  const parsed = parseProfile(PROFILE);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

const API_ACCESS = {
  name: 'kube-api-access-x7z2p',
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
};
const API_ACCESS_MOUNT = {
  name: API_ACCESS.name,
  mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
  readOnly: true,
};

const ANNOTATION = { path: 'config', fieldRef: { apiVersion: 'v1', fieldPath: "metadata.annotations['x']" } };

/** The kubelet's volume by its name, with one source of another's choice. */
function disguised(index: number, source: object) {
  const sources: object[] = [...API_ACCESS.projected.sources];
  sources[index] = source;
  return { name: 'kube-api-access-evil', projected: { ...API_ACCESS.projected, sources } };
}

/** The pod as an API server stores it: defaults written out, its own volume added, quantities rewritten, order changed. */
function stored(pod: Pod): Pod {
  const complete = (container: Container): object => ({
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
    resources: {},
    ...container,
    env: container.env?.map(({ value, ...rest }) => (value ? { ...rest, value } : rest)),
    volumeMounts: [...(container.volumeMounts ?? []), API_ACCESS_MOUNT],
  });
  const text = JSON.stringify({
    spec: {
      ...pod.spec,
      dnsPolicy: 'ClusterFirst',
      schedulerName: 'default-scheduler',
      nodeName: 'node-1',
      volumes: [...(pod.spec?.volumes ?? []), API_ACCESS],
      initContainers: pod.spec?.initContainers?.map(complete),
      containers: pod.spec?.containers?.map(complete),
    },
    metadata: { ...pod.metadata, uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' },
  });
  return JSON.parse(text);
}

describe('compareSidecar', () => {
  test('accepts what was injected, as stored, and returns what the sidecar was told', () => {
    expect(compareSidecar(stored(injected(launchedPod(profile(), LAUNCH))), COMPARISON)).toMatchObject({
      ok: true,
      value: {
        enclave: LAUNCH.enclave,
        ownerKeySha256: OWNER_KEY,
        mode: 'http',
        upstream: PROFILE.upstream,
        auth: 'mtls',
      },
    });
    expect(compareSidecar(stored(injected(enclavePod())), COMPARISON)).toMatchObject({
      value: { enclave: 'shop.web' },
    });
  });

  test.each<[string, (sidecar: Container) => object, string]>([
    ['another image', () => ({ image: APP_IMAGE }), 'sidecar-differs'],
    ['a command', () => ({ command: ['sh'] }), 'sidecar-differs'],
    ['an argument', () => ({ args: ['--owner-key=x'] }), 'sidecar-differs'],
    [
      'another variable',
      (s) => ({ env: [...(s.env ?? []), { name: 'NODE_OPTIONS', value: '-r x' }] }),
      'sidecar-differs',
    ],
    ['a variable less', (s) => ({ env: s.env?.slice(1) }), 'sidecar-differs'],
    ['variables from elsewhere', () => ({ envFrom: [{ configMapRef: { name: 'x' } }] }), 'sidecar-differs'],
    ['a root user', () => ({ securityContext: { runAsUser: 0 } }), 'sidecar-differs'],
    ['no restart', () => ({ restartPolicy: undefined }), 'sidecar-differs'],
    ['a hook', () => ({ lifecycle: { postStart: { exec: { command: ['sh'] } } } }), 'sidecar-differs'],
    ['no probe', () => ({ startupProbe: undefined }), 'sidecar-differs'],
    [
      'another mount',
      (s) => ({ volumeMounts: [...(s.volumeMounts ?? []), { name: 'v', mountPath: '/lib' }] }),
      'sidecar-differs',
    ],
    [
      'a mount that only looks like the kubelet’s',
      (s) => ({ volumeMounts: [...(s.volumeMounts ?? []), { ...API_ACCESS_MOUNT, mountPath: '/lib' }] }),
      'sidecar-differs',
    ],
    [
      'memory out of bounds',
      () => ({ resources: { requests: { cpu: '1', memory: '1Mi' }, limits: { memory: '1Mi' } } }),
      'sidecar-differs',
    ],
    [
      'another owner under the same enclave, malformed',
      (s) => ({
        env: s.env?.map((each) => (each.name.endsWith('OWNER_KEY') ? { ...each, value: 'x' } : each)),
      }),
      'annotation-invalid',
    ],
    [
      'another enclave',
      (s) => ({
        env: s.env?.map((each) => (each.name.endsWith('_ENCLAVE') ? { ...each, value: 'evictim' } : each)),
      }),
      'sidecar-differs',
    ],
    [
      'other roots',
      (s) => ({
        env: s.env?.map((each) => (each.name.endsWith('_ROOTS') ? { ...each, value: '{}' } : each)),
      }),
      'roots-unknown',
    ],
  ])('refuses %s', (_, change, code) => {
    const pod = stored(injected(enclavePod()));
    const [sidecar, ...rest] = pod.spec?.initContainers ?? [];
    if (sidecar === undefined) throw new Error('no sidecar');
    const changed = {
      ...pod,
      spec: { ...pod.spec, initContainers: [{ ...sidecar, ...change(sidecar) }, ...rest] },
    };
    expect(compareSidecar(changed, COMPARISON)).toMatchObject({ ok: false, code });
  });

  test('refuses a bare pod, a second place, an empty list of images, a changed token volume', () => {
    const pod = stored(injected(enclavePod()));
    const spec = pod.spec ?? {};
    expect(compareSidecar(stored(enclavePod()), COMPARISON)).toMatchObject({ code: 'sidecar-missing' });
    expect(compareSidecar(pod, { ...COMPARISON, sidecarImages: [] })).toMatchObject({
      code: 'sidecar-differs',
    });
    const late = [{ name: 'i', image: APP_IMAGE }, ...(spec.initContainers ?? [])];
    expect(compareSidecar({ ...pod, spec: { ...spec, initContainers: late } }, COMPARISON)).toMatchObject({
      ok: false,
    });
    const volumes = spec.volumes?.map((each) =>
      each.name.startsWith('enclave-') ? { name: each.name, emptyDir: {} } : each,
    );
    expect(compareSidecar({ ...pod, spec: { ...spec, volumes } }, COMPARISON)).toMatchObject({
      code: 'sidecar-differs',
    });
  });
});

describe('specSha256', () => {
  test('the offline value is that of the stored pod', () => {
    const pod = injected(launchedPod(profile(), LAUNCH));
    const expected = expectedSpecSha256(nodeCrypto, profile(), LAUNCH, CONFIG);
    expect(expected).toEqual({ ok: true, value: specSha256(nodeCrypto, stored(pod).spec ?? {}) });
    // Pinned: a change of the projection breaks every client that is out there.
    expect(expected).toMatchInlineSnapshot(`
      {
        "ok": true,
        "value": "cd88c2d055fe0a327fe42af79f38bf8f5a907540b55ec35022e967a4b74e8ab3",
      }
    `);
  });

  test.each<[string, (spec: NonNullable<Pod['spec']>, app: Container) => object]>([
    ['image', (_, app) => ({ containers: [{ ...app, image: SIDECAR_IMAGE }] })],
    ['arguments', (_, app) => ({ containers: [{ ...app, args: ['--listen'] }] })],
    ['environment', (_, app) => ({ containers: [{ ...app, env: [{ name: 'A', value: 'c' }] }] })],
    [
      'a probe’s command',
      (_, app) => ({ containers: [{ ...app, livenessProbe: { exec: { command: ['sh'] } } }] }),
    ],
    [
      'a container more',
      (spec, app) => ({ containers: [...(spec.containers ?? []), { ...app, name: 'b' }] }),
    ],
    ['privileges', (_, app) => ({ containers: [{ ...app, securityContext: { privileged: true } }] })],
    ['a user’s namespace', () => ({ hostUsers: false })],
    ['the node’s network', () => ({ hostNetwork: true })],
    ['the volume’s kind', () => ({ volumes: [{ name: 'enclave-run', hostPath: { path: '/' } }] })],
    [
      'a volume that only looks like the kubelet’s',
      (spec) => ({
        volumes: [...(spec.volumes ?? []), { name: 'kube-api-access-x', hostPath: { path: '/' } }],
      }),
    ],
    [
      'files of an annotation’s text among the kubelet’s',
      (spec) => ({
        volumes: [...(spec.volumes ?? []), disguised(2, { downwardAPI: { items: [ANNOTATION] } })],
      }),
    ],
    [
      'a token for somebody else among the kubelet’s',
      (spec) => ({
        volumes: [
          ...(spec.volumes ?? []),
          disguised(0, { serviceAccountToken: { audience: 'vault', path: 'token' } }),
        ],
      }),
    ],
    [
      'another key of the roots’ map among the kubelet’s',
      (spec) => ({
        volumes: [
          ...(spec.volumes ?? []),
          disguised(1, { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'x', path: 'y' }] } }),
        ],
      }),
    ],
  ])('changes with %s', (_, change) => {
    const spec = stored(injected(launchedPod(profile(), LAUNCH))).spec ?? {};
    const [app] = spec.containers ?? [];
    if (app === undefined) throw new Error('no app');
    expect(specSha256(nodeCrypto, { ...spec, ...change(spec, app) })).not.toBe(specSha256(nodeCrypto, spec));
  });
});

describe('profile', () => {
  test.each<[string, object, string]>([
    ['no image', { upstream: '80' }, 'spec.image is missing'],
    ['a tag', { image: 'app:1', upstream: '80' }, 'spec.image'],
    ['an unknown field', { ...PROFILE, imagePullPolicy: 'Always' }, 'spec.imagePullPolicy is unknown'],
    ['an inherited name', { ...PROFILE, constructor: 1 }, 'spec.constructor is unknown'],
    ['a bad mode', { ...PROFILE, mode: 'udp' }, 'spec.mode is "udp"'],
    ['a secret from elsewhere', { ...PROFILE, env: [{ name: 'A', valueFrom: {} }] }, 'spec.env'],
    ['a token without HTTP', { ...PROFILE, mode: 'tcp', auth: 'jwt' }, 'spec.auth'],
  ])('refuses %s', (_, spec, message) => {
    expect(parseProfile(spec)).toMatchObject({
      ok: false,
      code: 'profile-invalid',
      message: expect.stringContaining(message),
    });
  });

  test('becomes annotations that injection takes', () => {
    const pod = launchedPod({ ...profile(), keyType: 'p384' }, LAUNCH);
    expect(pod.metadata?.annotations).toMatchObject({
      [ANNOTATIONS.keyType]: 'p384',
      [ANNOTATIONS.mode]: 'http',
    });
    expect(injectedPod(pod, CONFIG).ok).toBe(true);
  });
});
