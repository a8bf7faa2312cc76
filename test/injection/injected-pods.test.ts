import fc from 'fast-check';
import jsonPatch from 'fast-json-patch';
import { describe, expect, test } from 'vitest';
import { decide } from '../../injection/decide.ts';
import { applyPatch } from '../../injection/json-patch.ts';
import type { Pod } from '../../injection/pod.ts';
import { TEMPLATES } from '../../injection/template.ts';
import { INJECTED_ANNOTATION } from '../../names/labels.ts';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import { podSchemaErrors, strictContainerErrors, strictVolumeErrors } from '../support/pod-schema.ts';
import { breachesOfRestricted } from '../support/restricted-standard.ts';
import { generatedPods } from './generated-pods.ts';
import { injectedGoldenPods } from './golden-pods.ts';
import { CONFIG } from './support.ts';

const [TEMPLATE] = TEMPLATES;
const asJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** The pod after our patch, by an implementation of RFC 6902 that is not ours. */
function patched(pod: Pod, namespace: string): Pod {
  const decision = decide(pod, namespace, CONFIG);
  if (!decision.ok) throw new Error(`${decision.message} ${JSON.stringify(pod)}`);
  const patch = asJson([...decision.patch]);
  const { newDocument } = jsonPatch.applyPatch(asJson(pod), patch, true);
  expect(asJson(applyPatch(pod, decision.patch))).toEqual(newDocument);
  return newDocument;
}

/** Sidecar first, its volume last, one annotation: everything else is what it was, fields that nobody knows included. */
function expectOnlyAdded(before: Pod, after: Pod): void {
  const [sidecar, ...init] = after.spec?.initContainers ?? [];
  const note = after.metadata?.annotations?.[INJECTED_ANNOTATION];
  expect(sidecar?.name).toBe(SIDECAR_CONTAINER);
  expect(note).toMatch(/^3 sha256:[0-9a-f]{64} sha256:[0-9a-f]{64}$/);
  expect(strictContainerErrors(sidecar)).toEqual([]);
  expect(strictVolumeErrors(TEMPLATE.volume)).toEqual([]);
  expect(after).toStrictEqual({
    ...before,
    metadata: {
      ...before.metadata,
      annotations: { ...before.metadata?.annotations, [INJECTED_ANNOTATION]: note },
    },
    spec: {
      ...before.spec,
      initContainers: [sidecar, ...(before.spec?.initContainers ?? [])],
      volumes: [...(before.spec?.volumes ?? []), TEMPLATE.volume],
    },
  });
  expect(init).toStrictEqual(before.spec?.initContainers ?? []);
}

function expectInjected(pod: Pod, namespace: string): Pod {
  const after = patched(pod, namespace);
  expectOnlyAdded(pod, after);
  if (podSchemaErrors(pod).length === 0) expect(podSchemaErrors(after)).toEqual([]);
  if (breachesOfRestricted(pod).length === 0) expect(breachesOfRestricted(after)).toEqual([]);
  expect(decide(after, namespace, CONFIG)).toMatchObject({ ok: true, patch: [] });
  return after;
}

describe('any pod', () => {
  test.each([true, false])(
    'restricted: %s: is patched to one that is valid, complete and final',
    (restricted) => {
      let valid = 0;
      fc.assert(
        fc.property(generatedPods(restricted), (pod) => {
          if (restricted) expect(breachesOfRestricted(pod)).toEqual([]);
          if (podSchemaErrors(pod).length === 0) valid += 1;
          expectInjected(pod, 'shop');
        }),
        { numRuns: 300 },
      );
      // Fields that the API does not know are no errors to it, so all of them count.
      expect(valid).toBe(300);
    },
  );
});

describe('golden pods', () => {
  // What is there already is tried in decide.test.ts.
  const pods = injectedGoldenPods().filter(
    ({ name, patch }) => patch.length === 3 && !name.startsWith('reviewed-again'),
  );

  test.each(pods.map(({ name, pod, namespace }) => [name, pod, namespace] as const))(
    '%s',
    (_, pod, namespace) => {
      expectInjected(pod, namespace);
    },
  );

  test('are valid but for the one without containers, and twenty keep the restricted standard', () => {
    expect(pods.filter(({ pod }) => podSchemaErrors(pod).length > 0).map(({ name }) => name)).toEqual([
      'no-containers',
    ]);
    expect(pods.filter(({ pod }) => breachesOfRestricted(pod).length === 0).length).toBeGreaterThanOrEqual(
      20,
    );
  });
});
