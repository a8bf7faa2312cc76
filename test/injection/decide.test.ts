import fc from 'fast-check';
import jsonPatch from 'fast-json-patch';
import { describe, expect, test } from 'vitest';
import { decide } from '../../injection/decide.ts';
import { applyPatch } from '../../injection/json-patch.ts';
import type { Pod } from '../../injection/pod.ts';
import { ANNOTATIONS, ENCLAVE_LABEL, INJECT_LABEL } from '../../names/labels.ts';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import { CONFIG, enclavePod } from './support.ts';

/** What the API server does with our patch, by a library of its own. */
function patched(pod: Pod): Pod {
  const decision = decide(pod, 'shop', CONFIG);
  if (!decision.ok) throw new Error(decision.message);
  return jsonPatch.applyPatch(structuredClone(pod), structuredClone([...decision.patch])).newDocument;
}

function code(pod: Pod): string | undefined {
  const decision = decide(pod, 'shop', CONFIG);
  return decision.ok ? undefined : decision.code;
}

describe('decide', () => {
  test.each<[string, Record<string, string>, number | string]>([
    ['neither label', {}, 0],
    ['inject', { [INJECT_LABEL]: 'enabled' }, 3],
    ['inject with another value', { [INJECT_LABEL]: 'true' }, 'label-invalid'],
    ['enclave', { [ENCLAVE_LABEL]: 'eabc' }, 3],
    ['enclave with a dot, as self-deployed ids have', { [ENCLAVE_LABEL]: 'shop.web' }, 'label-invalid'],
    ['both', { [ENCLAVE_LABEL]: 'eabc', [INJECT_LABEL]: 'enabled' }, 'label-invalid'],
  ])('label: %s', (_, labels, expected) => {
    const pod = enclavePod();
    const decision = decide({ ...pod, metadata: { ...pod.metadata, labels } }, 'shop', CONFIG);
    expect(decision.ok ? decision.patch.length : decision.code).toBe(expected);
    expect(decide({ ...pod, metadata: { ...pod.metadata, labels } }, 'kube-system', CONFIG)).toMatchObject({
      patch: [],
    });
  });

  test.each<[string, Record<string, string>, string]>([
    ['upstream', { [ANNOTATIONS.upstream]: '0.0.0.0:80' }, '0.0.0.0:80'],
    ['upstream: the sidecar’s own port', { [ANNOTATIONS.upstream]: 'pod:8443' }, 'pod:8443'],
    ['upstream: a relative socket', { [ANNOTATIONS.upstream]: 'unix:app.sock' }, 'unix:app.sock'],
    ['upstream: a way up', { [ANNOTATIONS.upstream]: 'unix:/run/../etc/x' }, '/run/../etc/x'],
    [
      'upstream: a socket over the sidecar’s own files',
      { [ANNOTATIONS.upstream]: 'unix:/usr/local/ssl/s' },
      '/usr/',
    ],
    [
      'upstream: a socket over its token',
      { [ANNOTATIONS.upstream]: 'unix:/run/secrets/x/s' },
      '/run/secrets',
    ],
    [
      'upstream: a socket over all of /run',
      { [ANNOTATIONS.upstream]: 'unix:/run/app.sock' },
      '/run/app.sock',
    ],
    ['upstream: an expansion', { [ANNOTATIONS.upstream]: 'unix:/run/$(X)/y' }, '$(X)'],
    ['mode', { [ANNOTATIONS.mode]: 'udp' }, 'udp'],
    ['alpn: the evidence endpoint', { [ANNOTATIONS.alpn]: 'h2,enclave-evidence/1' }, 'enclave-evidence/1'],
    ['alpn: twice the same', { [ANNOTATIONS.alpn]: 'h2,h2' }, 'h2,h2'],
    ['auth', { [ANNOTATIONS.auth]: 'none' }, 'none'],
    ['key type', { [ANNOTATIONS.keyType]: 'rsa' }, 'rsa'],
    ['lifetime too short', { [ANNOTATIONS.certificateLifetime]: '9m' }, '9m'],
    ['cpu', { [ANNOTATIONS.sidecarCpu]: '9' }, '"9"'],
    ['memory', { [ANNOTATIONS.sidecarMemory]: '16Mi' }, '16Mi'],
    ['owner key in upper case', { [ANNOTATIONS.ownerKey]: 'AB'.repeat(32) }, 'ABAB'],
  ])('a bad annotation is named, with its value and what is allowed: %s', (_, annotations, value) => {
    const decision = decide(enclavePod(annotations), 'shop', CONFIG);
    expect(decision).toMatchObject({ ok: false, code: 'annotation-invalid' });
    if (decision.ok) return;
    expect(decision.message).toContain(Object.keys(annotations)[0]);
    expect(decision.message).toContain(value);
    expect(decision.remedy).toMatch(/^Write ./);
  });

  test('missing and contradicting annotations refuse, unknown ones warn', () => {
    const without = (name: string) => {
      const pod = enclavePod();
      const { [name]: _, ...annotations } = pod.metadata?.annotations ?? {};
      return code({ ...pod, metadata: { ...pod.metadata, annotations } });
    };
    expect(without(ANNOTATIONS.upstream)).toBe('annotation-missing');
    expect(without(ANNOTATIONS.ownerKey)).toBe('annotation-missing');
    expect(code(enclavePod({ [ANNOTATIONS.auth]: 'jwt' }))).toBe('annotation-conflict');
    expect(decide(enclavePod({ 'enclave-licensing.dev/upstreem': 'x' }), 'shop', CONFIG)).toMatchObject({
      ok: true,
      warnings: [expect.stringContaining('enclave-licensing.dev/upstreem')],
    });
  });

  const image = { image: `x@sha256:${'00'.repeat(32)}` };
  test.each<[string, object, string]>([
    ['hostNetwork', { hostNetwork: true }, 'host-namespace'],
    ['hostPID', { hostPID: true }, 'host-namespace'],
    ['hostIPC', { hostIPC: true }, 'host-namespace'],
    [
      'a folder of the node, where the sidecar’s token lies too',
      { volumes: [{ name: 'n', hostPath: { path: '/var/lib/kubelet' } }] },
      'host-namespace',
    ],
    [
      'a privileged container',
      { containers: [{ name: 'app', ...image, securityContext: { privileged: true } }] },
      'host-namespace',
    ],
    [
      'a privileged init container',
      { initContainers: [{ name: 'i', ...image, securityContext: { privileged: true } }] },
      'host-namespace',
    ],
    ['shared processes', { shareProcessNamespace: true }, 'process-namespace-shared'],
    ['ephemeral container', { ephemeralContainers: [{ name: 'd', ...image }] }, 'ephemeral-container'],
    ['Windows', { os: { name: 'windows' } }, 'windows'],
    ['a tag only', { containers: [{ name: 'app', image: 'app:1' }] }, 'image-unpinned'],
    ['an init container by tag', { initContainers: [{ name: 'i', image: 'i:1' }] }, 'image-unpinned'],
    ['our name as a container', { containers: [{ name: SIDECAR_CONTAINER, ...image }] }, 'name-reserved'],
    [
      'our name as an init container',
      { initContainers: [{ name: SIDECAR_CONTAINER, ...image }] },
      'name-reserved',
    ],
    [
      'our port',
      { containers: [{ name: 'a', ...image, ports: [{ containerPort: 8443 }] }] },
      'name-reserved',
    ],
    [
      'our port’s name',
      { containers: [{ name: 'a', ...image, ports: [{ name: 'enclave', containerPort: 1 }] }] },
      'name-reserved',
    ],
    [
      'our environment',
      { containers: [{ name: 'a', ...image, env: [{ name: 'ENCLAVE_SIDECAR_MODE' }] }] },
      'name-reserved',
    ],
    ['our volume', { volumes: [{ name: 'enclave-licensing-token', emptyDir: {} }] }, 'name-reserved'],
    [
      'our volume, part of it mounted',
      {
        containers: [
          {
            name: 'a',
            ...image,
            volumeMounts: [{ name: 'enclave-licensing-token', mountPath: '/t', subPath: 'token' }],
          },
        ],
      },
      'name-reserved',
    ],
    [
      'our audience',
      {
        volumes: [
          {
            name: 't',
            projected: {
              sources: [{ serviceAccountToken: { audience: 'enclave-licensing.dev/agent', path: 't' } }],
            },
          },
        ],
      },
      'token-foreign',
    ],
  ])('refused: %s', (_, spec, expected) => {
    expect(code(enclavePod({}, spec))).toBe(expected);
  });

  test('a unix upstream needs the app’s own emptyDir at the socket’s folder', () => {
    const annotations = { [ANNOTATIONS.upstream]: 'unix:/run/enclave/app.sock' };
    const spec = (mount: object, volume: object) => ({
      containers: [
        { name: 'app', ...image, volumeMounts: [{ name: 'run', mountPath: '/run/enclave', ...mount }] },
      ],
      volumes: [{ name: 'run', ...volume }],
    });
    expect(code(enclavePod(annotations))).toBe('volume-missing');
    expect(code(enclavePod(annotations, spec({ subPath: 'x' }, { emptyDir: {} })))).toBe('volume-missing');
    expect(code(enclavePod(annotations, spec({}, { configMap: { name: 'c' } })))).toBe('volume-missing');
    const pod = patched(enclavePod(annotations, spec({}, { emptyDir: {} })));
    expect(pod.spec?.initContainers?.[0]?.volumeMounts).toContainEqual({
      name: 'run',
      mountPath: '/run/enclave',
    });
    expect(pod.spec?.volumes?.[0]).toEqual({ name: 'run', emptyDir: {} });
  });

  test('a reviewed pod is patched to the same result, an up-to-date one not at all', () => {
    const once = patched(enclavePod());
    expect(decide(once, 'shop', CONFIG)).toEqual({ ok: true, patch: [], warnings: [] });
    const [sidecar] = once.spec?.initContainers ?? [];
    const other = { name: 'proxy', ...image };
    if (sidecar === undefined) throw new Error('no sidecar');
    const overtaken = { ...once, spec: { ...once.spec, initContainers: [other, sidecar] } };
    expect(patched(overtaken).spec?.initContainers).toEqual([sidecar, other]);
    for (const changed of [
      { image: 'x' },
      { env: [] },
      { command: ['sh'] },
      { securityContext: {} },
      { tty: true },
    ]) {
      const forged = { ...once, spec: { ...once.spec, initContainers: [{ ...sidecar, ...changed }] } };
      expect(code(forged), JSON.stringify(changed)).toBe('name-reserved');
    }
  });

  test('keeps every field of the input, and our own patcher agrees with RFC 6902’s', () => {
    const containers = fc.array(fc.record({ name: fc.constantFrom('a', 'b'), extra: fc.jsonValue() }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(
        fc.option(containers, { nil: undefined }),
        fc.option(fc.array(fc.record({ name: fc.string(), extra: fc.jsonValue() })), { nil: undefined }),
        fc.dictionary(fc.stringMatching(/^[a-z~/]{1,8}$/), fc.string()),
        fc.jsonValue(),
        (init, volumes, annotations, unknown) => {
          const input = enclavePod(annotations, {
            ...(init && { initContainers: init.map((each) => ({ ...each, ...image })) }),
            ...(volumes && { volumes }),
            unknown,
          });
          const before = JSON.parse(JSON.stringify(input));
          const output = JSON.parse(JSON.stringify(patched(input)));
          const decision = decide(input, 'shop', CONFIG);
          expect(decision.ok && JSON.parse(JSON.stringify(applyPatch(input, decision.patch)))).toEqual(
            output,
          );
          expect(output).toMatchObject({
            ...before,
            spec: { ...before.spec, initContainers: expect.anything(), volumes: expect.anything() },
          });
          expect(output.spec.initContainers.slice(1)).toEqual(before.spec.initContainers ?? []);
          expect(output.spec.volumes.slice(0, -1)).toEqual(before.spec.volumes ?? []);
        },
      ),
      { numRuns: 200 },
    );
  });
});
