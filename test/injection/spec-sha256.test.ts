import { describe, expect, test } from 'vitest';
import { launchedPod } from '../../injection/launched-pod.ts';
import type { Container, Pod } from '../../injection/pod.ts';
import { parseProfile } from '../../injection/profile.ts';
import { expectedSpecSha256, injectedPod, specSha256 } from '../../injection/spec-sha256.ts';
import { ANNOTATIONS } from '../../names/labels.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { API_ACCESS, injected, LAUNCH, PROFILE, profile, stored } from './stored-pod.ts';
import { CONFIG, SIDECAR_IMAGE } from './support.ts';

const ANNOTATION = { path: 'config', fieldRef: { apiVersion: 'v1', fieldPath: "metadata.annotations['x']" } };

/** The kubelet's volume by its name, with one source of another's choice. */
function disguised(index: number, source: object) {
  const sources: object[] = [...API_ACCESS.projected.sources];
  sources[index] = source;
  return { name: 'kube-api-access-evil', projected: { ...API_ACCESS.projected, sources } };
}

describe('specSha256', () => {
  test('the offline value is that of the stored pod', () => {
    const pod = injected(launchedPod(profile(), LAUNCH));
    const expected = expectedSpecSha256(profile(), LAUNCH, CONFIG);
    expect(expected).toEqual({ ok: true, value: specSha256(nodeCrypto, stored(pod).spec ?? {}) });
    // Pinned: a change of the projection breaks every client that is out there.
    expect(expected).toMatchInlineSnapshot(`
      {
        "ok": true,
        "value": "cd88c2d055fe0a327fe42af79f38bf8f5a907540b55ec35022e967a4b74e8ab3",
      }
    `);
  });

  test('takes any name in what an author names, also one that every object has', () => {
    const spec = stored(injected(launchedPod(profile(), LAUNCH))).spec ?? {};
    const hashes = ['constructor', 'toString', '__proto__', 'x'].map((name) => {
      const attributes = JSON.parse(`{"${name}":"1"}`) as object;
      const volume = { name: 'v', csi: { driver: 'some.example', volumeAttributes: attributes } };
      return specSha256(nodeCrypto, { ...spec, volumes: [...(spec.volumes ?? []), volume] });
    });
    expect(new Set(hashes).size).toBe(4);
  });

  test('takes an author’s names as they are, also when an API server has a default for one of that name elsewhere', () => {
    const spec = stored(injected(launchedPod(profile(), LAUNCH))).spec ?? {};
    const hashes = [{}, { type: '' }, { volumeMode: 'Filesystem' }, { apiVersion: 'v1' }].map(
      (attributes) => {
        const volume = { name: 'v', csi: { driver: 'some.example', volumeAttributes: attributes } };
        return specSha256(nodeCrypto, { ...spec, volumes: [...(spec.volumes ?? []), volume] });
      },
    );
    expect(new Set(hashes).size).toBe(4);
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
