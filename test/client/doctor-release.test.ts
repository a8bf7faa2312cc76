import { expect, test } from 'vitest';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { ROOTS_KEY } from '../../names/components.ts';
import { fixtureRoots } from '../support/fixture-certificates.ts';
import { type Breakage, changed, copy, good, mapped, NOW, soundSnapshot, told } from './doctor-snapshot.ts';

/** What a release consists of, read back from the API server and broken. */

test('nothing is found where nothing is wrong', () => {
  expect(told(soundSnapshot())).toEqual([]);
});

test('defaults that the API server fills in are no difference', () => {
  const sound = soundSnapshot();
  const policies = copy(sound.policies.ok ? sound.policies.value : []);
  for (const { spec } of policies)
    if (spec?.matchConstraints !== undefined)
      Object.assign(spec.matchConstraints, {
        matchPolicy: 'Equivalent',
        objectSelector: {},
        namespaceSelector: spec.matchConstraints.namespaceSelector ?? {},
      });
  expect(told({ ...sound, policies: good(policies) })).toEqual([]);
});

const DAY = 86_400_000;

const BROKEN: readonly Breakage[] = [
  [
    'an API server of before',
    ({ server }) => ({ server: { ...server, version: 'v1.29.14-gke.100' } }),
    ['kubernetes kubernetes-too-old API server'],
  ],
  [
    'a kubelet of before',
    () => ({
      nodes: good([
        { metadata: { name: 'n1' }, status: { nodeInfo: { kubeletVersion: 'v1.28.0' } } },
      ] as never),
    }),
    ['kubernetes kubernetes-too-old node n1'],
  ],
  [
    'a definition that is gone',
    ({ definitions }) => ({ definitions: mapped(definitions, (all) => all.slice(1)) }),
    ['definitions definition-missing CustomResourceDefinition attestednodes.enclave-licensing.dev'],
  ],
  [
    'a definition of another release',
    ({ definitions }) => ({
      definitions: mapped(definitions, ([first, ...rest]) => [
        {
          ...first,
          metadata: {
            ...first?.metadata,
            annotations: {
              'meta.helm.sh/release-name': 'other',
              'meta.helm.sh/release-namespace': 'elsewhere',
            },
          },
        } as never,
        ...rest,
      ]),
    }),
    ['definitions definition-foreign CustomResourceDefinition attestednodes.enclave-licensing.dev'],
  ],
  [
    'a definition of another version',
    ({ definitions }) => ({
      definitions: changed(definitions, (all) => {
        const version = all[0]?.spec?.versions[0];
        if (version?.schema?.openAPIV3Schema) version.schema.openAPIV3Schema.required = ['spec', 'more'];
      }),
    }),
    ['definitions definition-differs CustomResourceDefinition attestednodes.enclave-licensing.dev'],
  ],
  ['no roots', () => ({ roots: good(undefined) }), ['roots roots-missing ConfigMap enclave-licensing-roots']],
  [
    'roots that are none',
    () => ({ roots: good({ data: { [ROOTS_KEY]: '{"system":[]}' } }) }),
    ['roots roots-invalid ConfigMap enclave-licensing-roots'],
  ],
  [
    'other roots than those pinned',
    () => ({ pinned: { text: '', sha256: '00'.repeat(32) } }),
    ['roots roots-not-pinned ConfigMap enclave-licensing-roots'],
  ],
  [
    'an empty caBundle',
    ({ mutating }) => ({
      mutating: changed(mutating, (found) => {
        if (found?.webhooks?.[0]) delete found.webhooks[0].clientConfig.caBundle;
      }),
    }),
    ['webhooks ca-bundle-missing MutatingWebhookConfiguration enclave-licensing'],
  ],
  [
    "somebody else's caBundle",
    () => ({
      roots: good({
        data: { [ROOTS_KEY]: rootsToJson({ ...fixtureRoots(), system: fixtureRoots().users }) },
      }),
    }),
    [
      'webhooks ca-bundle-foreign MutatingWebhookConfiguration enclave-licensing',
      'webhooks ca-bundle-foreign ValidatingWebhookConfiguration enclave-licensing',
    ],
  ],
  [
    'a webhook that lets pods through when it is down',
    ({ mutating }) => ({
      mutating: changed(mutating, (found) => {
        if (found?.webhooks?.[1]) found.webhooks[1].failurePolicy = 'Ignore';
      }),
    }),
    ['webhooks webhook-differs MutatingWebhookConfiguration enclave-licensing'],
  ],
  [
    'no webhook',
    () => ({ validating: good(undefined) }),
    ['webhooks webhook-missing ValidatingWebhookConfiguration enclave-licensing'],
  ],
  [
    'a policy with a way out',
    ({ policies }) => ({
      policies: changed(policies, (all) => {
        const spec = all.find(({ metadata }) => metadata?.name === 'connect.enclave-licensing.dev')?.spec;
        if (spec)
          spec.matchConditions = [{ name: 'not-me', expression: "request.userInfo.username != 'me'" }];
      }),
    }),
    ['policies policy-differs ValidatingAdmissionPolicy connect.enclave-licensing.dev'],
  ],
  [
    'a policy that the API server does not understand',
    ({ policies }) => ({
      policies: changed(policies, (all) => {
        const [first] = all;
        const warning = { fieldRef: 'spec.validations[0].expression', warning: 'undefined field' };
        if (first) first.status = { typeChecking: { expressionWarnings: [warning] } };
      }),
    }),
    [expect.stringMatching(/^policies policy-differs ValidatingAdmissionPolicy /)],
  ],
  [
    'a policy that nobody bound',
    ({ policyBindings }) => ({
      policyBindings: mapped(policyBindings, (all) =>
        all.filter(({ metadata }) => metadata?.name !== 'names.enclave-licensing.dev'),
      ),
    }),
    ['policies policy-missing ValidatingAdmissionPolicyBinding names.enclave-licensing.dev'],
  ],
  [
    'what may not be read',
    () => ({ policies: { ok: false, reason: 'forbidden', message: 'policies is forbidden' } }),
    ['policies unread ValidatingAdmissionPolicy: policies is forbidden'],
  ],
];

test.each(BROKEN)('%s', (_, breakIt, expected) => {
  const sound = soundSnapshot();
  expect(told({ ...sound, ...breakIt(sound) })).toEqual(expected);
});

test('roots that end, or have ended', () => {
  const sound = soundSnapshot();
  const at = (date: number) =>
    told({ ...sound, server: { ...sound.server, date, asked: date } }).filter((line) =>
      line.startsWith('roots'),
    );
  const [system] = fixtureRoots().system;
  const end = parseCertificate(system ?? new Uint8Array());
  const ends = end.ok ? end.value.notAfter * 1000 : 0;
  expect(at(ends - 100 * DAY)).not.toContain('roots roots-ending root system');
  expect(at(ends - 80 * DAY)).toContain('roots roots-ending root system');
  expect(at(NOW + 20_000 * DAY)).toEqual(
    ['system', 'enclaves', 'users', 'attestation-keys'].map((issuer) => `roots roots-ended root ${issuer}`),
  );
});
