import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { describe, expect, test } from 'vitest';
import { decide } from '../../injection/decide.ts';
import { applyPatch } from '../../injection/json-patch.ts';
import type { Pod } from '../../injection/pod.ts';
import { breachOfBarePod } from '../../injection/pod-rules.ts';
import { ANNOTATIONS, INJECT_LABEL, INJECTED_ANNOTATION, LABEL_PREFIX } from '../../names/labels.ts';
import { goldenPods, injectedGoldenPods } from './golden-pods.ts';
import { APP_IMAGE, CONFIG, enclavePod, SIDECAR_IMAGE } from './support.ts';

/** What varies from pod to pod stands in test/golden and injected-pods.test.ts; here is what one pod does not show. */

function injected(pod: Pod, config = CONFIG): Pod {
  const decision = decide(pod, 'shop', config);
  if (!decision.ok) throw new Error(decision.message);
  return applyPatch(pod, decision.patch);
}

function code(pod: Pod): string | undefined {
  const decision = decide(pod, 'shop', CONFIG);
  return decision.ok ? undefined : decision.code;
}

/** The annotation, computed from the pod that came out by another implementation of RFC 8785. */
function noteOf({ spec }: Pod): string {
  const [container] = spec?.initContainers ?? [];
  const volume = spec?.volumes?.find(({ name }) => name === 'enclave-licensing-token');
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const env = container?.env?.map((variable) =>
    variable.name === 'ENCLAVE_SIDECAR_ROOTS'
      ? { ...variable, value: `sha256:${sha256(variable.value ?? '')}` }
      : variable,
  );
  const shown = { container: { ...container, env }, volume };
  const hash = sha256(canonicalize(JSON.parse(JSON.stringify(shown))) ?? '');
  return `3 ${SIDECAR_IMAGE.split('@')[1]} sha256:${hash}`;
}

describe('the annotation injected', () => {
  test('is the digest of what was injected, for every golden pod', () => {
    for (const { pod } of injectedGoldenPods()) {
      const after = injected(pod);
      expect(after.metadata?.annotations?.[INJECTED_ANNOTATION]).toBe(noteOf(after));
    }
  });

  test('is that of the whole text, however long a volume’s name is', () => {
    const name = 'v'.repeat(20_000);
    const mounts = [{ name, mountPath: '/run/app' }];
    const pod = enclavePod(
      { [ANNOTATIONS.upstream]: 'unix:/run/app/app.sock' },
      {
        containers: [{ name: 'app', image: APP_IMAGE, volumeMounts: mounts }],
        volumes: [{ name, emptyDir: {} }],
      },
    );
    const after = injected(pod);
    expect(after.metadata?.annotations?.[INJECTED_ANNOTATION]).toBe(noteOf(after));
  });

  test('stays that of each pod when very many come, again and again, with roots that change', () => {
    const pods = Array.from({ length: 4000 }, (_, n) =>
      enclavePod({ [ANNOTATIONS.upstream]: String(1 + (n % 1500)) }, { serviceAccountName: `a${n % 5}` }),
    );
    const wrong = pods.filter((pod, n) => {
      const after = injected(pod, { ...CONFIG, roots: `{"n":${n & 1024}}` });
      return after.metadata?.annotations?.[INJECTED_ANNOTATION] !== noteOf(after);
    });
    expect(wrong).toEqual([]);
    for (const roots of ['{"n":1}', '{"n":2}', `{"n":"${'A'.repeat(65_000)}"}`]) {
      const after = injected(enclavePod(), { ...CONFIG, roots });
      expect(after.metadata?.annotations?.[INJECTED_ANNOTATION]).toBe(noteOf(after));
    }
  });

  test('is no other pod’s, however an author spells names that nobody has checked yet', () => {
    const [first, second] = [
      ['a', 'b c'],
      ['a b', 'c'],
    ].map(([serviceAccountName, name]) =>
      injected(
        enclavePod(
          { [ANNOTATIONS.upstream]: 'unix:/run/app/app.sock' },
          {
            serviceAccountName,
            containers: [{ name: 'app', image: APP_IMAGE, volumeMounts: [{ name, mountPath: '/run/app' }] }],
            volumes: [{ name, emptyDir: {} }],
          },
        ),
      ),
    );
    for (const after of [first, second])
      expect(after?.metadata?.annotations?.[INJECTED_ANNOTATION]).toBe(after && noteOf(after));
  });
});

describe('a pod that is reviewed again', () => {
  test('is patched to the same result, an up-to-date one not at all', () => {
    const once = injected(enclavePod());
    expect(injected(enclavePod())).toEqual(once);
    expect(decide(once, 'shop', CONFIG)).toEqual({ ok: true, patch: [], warnings: [] });
  });

  test.each<[string, object]>([
    ['image', { image: 'x' }],
    ['environment', { env: [] }],
    ['command', { command: ['sh'] }],
    ['security context', { securityContext: {} }],
    ['terminal', { tty: true }],
    ['resources', { resources: { requests: { cpu: '1' } } }],
    ['mounts', { volumeMounts: [{ name: 'x', mountPath: '/x' }] }],
    ['probe', { startupProbe: { exec: { command: ['true'] } } }],
    ['a field of a later Kubernetes', { restartPolicyRules: [{ action: 'Restart' }] }],
  ])('with a sidecar that differs in its %s is refused', (_, changed) => {
    const once = injected(enclavePod());
    const [sidecar] = once.spec?.initContainers ?? [];
    if (sidecar === undefined) throw new Error('no sidecar');
    const forged = { ...once, spec: { ...once.spec, initContainers: [{ ...sidecar, ...changed }] } };
    expect(code(forged)).toBe('name-reserved');
    const twice = { ...once, spec: { ...once.spec, initContainers: [sidecar, { ...sidecar, ...changed }] } };
    expect(decide(twice, 'shop', CONFIG)).toMatchObject({ ok: false, code: 'name-reserved' });
  });
});

test('a configuration without a pinned image or roots injects nothing', () => {
  for (const missing of [{ sidecarImage: 'sidecar:1' }, { sidecarImage: '' }, { roots: '' }])
    expect(decide(enclavePod(), 'shop', { ...CONFIG, ...missing })).toMatchObject({
      code: 'configuration-invalid',
    });
});

test('names that JavaScript gives a meaning are names', () => {
  const annotations = JSON.parse(
    '{"__proto__":"x","constructor":"y","enclave-licensing.dev/constructor":"z"}',
  );
  const pod = enclavePod(annotations);
  expect(decide(pod, 'shop', CONFIG)).toMatchObject({
    ok: true,
    warnings: [expect.stringContaining('constructor')],
  });
  const labels = JSON.parse(`{"__proto__":"x","${INJECT_LABEL}":"enabled"}`);
  expect(decide({ ...pod, metadata: { ...pod.metadata, labels } }, 'shop', CONFIG).ok).toBe(true);
});

const LONG = 'x'.repeat(1_000_000);
const app = (more: object): object => ({ containers: [{ name: 'app', image: APP_IMAGE, ...more }] });
test.each<[string, Pod]>([
  ['image', enclavePod({}, app({ image: LONG }))],
  ['container', enclavePod({}, app({ name: LONG, image: '' }))],
  ['variable', enclavePod({}, app({ env: [{ name: `ENCLAVE_SIDECAR_${LONG}` }] }))],
  ['port', enclavePod({}, app({ ports: [{ name: LONG, containerPort: 8443 }] }))],
  ['capability', enclavePod({}, app({ securityContext: { capabilities: { add: [LONG] } } }))],
  ['procMount', enclavePod({}, app({ securityContext: { procMount: LONG } }))],
  ['volume', enclavePod({}, { volumes: [{ name: LONG, hostPath: {} }] })],
  ['image volume', enclavePod({}, { volumes: [{ name: 'v', image: { reference: LONG } }] })],
  ['field', enclavePod({}, { initContainers: [{ name: 'enclave-sidecar', image: APP_IMAGE, [LONG]: 1 }] })],
  ['annotation', enclavePod({ [ANNOTATIONS.mode]: LONG })],
  ['socket', enclavePod({ [ANNOTATIONS.upstream]: `unix:/run/${LONG}/a` })],
  ['label', enclavePod({}, {}, { [INJECT_LABEL]: LONG })],
  ['service account', enclavePod({}, { serviceAccountName: LONG })],
])('a refusal is short, however long the %s', (_, pod) => {
  const decision = decide(pod, 'shop', CONFIG);
  expect(decision.ok).toBe(false);
  expect(JSON.stringify(decision).length).toBeLessThan(1500);
});

test('so are warnings, however many and long the names', () => {
  const unknown = Object.fromEntries(
    Array.from({ length: 5000 }, (_, n) => [`${LABEL_PREFIX}${n}${'y'.repeat(300)}`, '']),
  );
  const decision = decide(enclavePod(unknown), 'shop', CONFIG);
  expect(decision.ok && decision.warnings.length).toBe(9);
  expect(JSON.stringify(decision.ok && decision.warnings).length).toBeLessThan(4096);
});

test('what a pod that is no enclave may not have: the sidecar’s names, its token', () => {
  const bare = (spec: object) => breachOfBarePod({ containers: [{ name: 'a', image: 'a' }], ...spec });
  expect(bare({ hostNetwork: true, volumes: null, initContainers: null })).toBeUndefined();
  for (const { name, pod } of goldenPods().filter(({ name }) =>
    /^refused-(token-audience|name-.*(container|volume))/.test(name),
  ))
    expect(bare(pod.spec ?? {}), name).toMatchObject({ ok: false });
});

describe('replicas', () => {
  const patchOf = (pod: Pod, config = CONFIG) => {
    const decision = decide(pod, 'shop', config);
    if (!decision.ok) throw new Error(decision.message);
    return decision.patch;
  };

  test('get one array, so that it is written down once; whoever differs in anything gets another', () => {
    const patch = patchOf(enclavePod());
    expect(patchOf(enclavePod())).toBe(patch);
    const withVolume = enclavePod({}, { volumes: [{ name: 'cache', emptyDir: {} }] });
    const others = [
      patchOf(withVolume),
      patchOf(enclavePod({ [ANNOTATIONS.upstream]: '9090' })),
      patchOf(enclavePod(), { ...CONFIG, roots: '{"system":["BBBB"]}' }),
      patchOf(enclavePod(), { ...CONFIG, sidecarImage: SIDECAR_IMAGE.replace(/[0-9a-f]$/, '0') }),
    ];
    for (const other of others) expect(other).not.toEqual(patch);
    expect(patchOf(enclavePod())).toEqual(patch);
  });

  test('are few kinds of pod: of all that an author can bring for one wish hardly any patch is kept', () => {
    const { initContainers, volumes } = injected(enclavePod()).spec ?? {};
    const other = [{ name: 'first', image: APP_IMAGE }];
    const kinds = [undefined, other, initContainers].flatMap((init) =>
      [undefined, [{ name: 'cache' }], volumes].map((list) =>
        enclavePod({}, { ...(init && { initContainers: init }), ...(list && { volumes: list }) }),
      ),
    );
    const first = kinds.map((pod) => patchOf(pod));
    expect(kinds.filter((pod, at) => patchOf(pod) === first[at]).length).toBeLessThan(4);
  });
});
