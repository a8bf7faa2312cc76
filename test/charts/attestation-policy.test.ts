import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { withPolicyReference } from '../../tools/policy-resource.ts';
import { ANYTHING } from '../../verify/policy/anything.ts';
import { formatPolicy } from '../../verify/policy/format-policy.ts';
import { parsePolicy } from '../../verify/policy/parse-policy.ts';
import type { Policy } from '../../verify/policy/policy.ts';
import {
  type ApiAnswer,
  type ApiClient,
  type ApiServerUnderTest,
  apiClient,
} from '../contract/api-client.ts';
import { apiServerUnderTest, isRealApiServer } from '../support/api-server-under-test.ts';
import { FIXTURE_POLICY } from '../support/evidence.ts';
import { mutatedPolicies } from '../support/policy-mutations.ts';
import { until } from '../support/until.ts';

const text = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const crds = text('charts/licensing/files/crds.yaml');
const NAME = 'attestationpolicies.enclave-licensing.dev';
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const POLICIES = '/apis/enclave-licensing.dev/v1alpha1/attestationpolicies';

test('the resource holds what the schema of policies says: otherwise run make generate', () => {
  expect(withPolicyReference(crds, JSON.parse(text('verify/policy/schema.json')))).toBe(crds);
});

const hex = 'ab'.repeat(32);
const long = 'ab'.repeat(48);
const set = (values: object, name = 'one') => ({ name, values });
const listed = (hash: string, ...sets: object[]) => ({ pcrs: { accept: 'listed', hash, sets } });
const named = formatPolicy({ ...FIXTURE_POLICY, roots: [hex] });
const everything: Policy = { ...ANYTHING, pcrs: FIXTURE_POLICY.pcrs };
const { maxAge: _, ...ageless } = named;
const { roots: __, ...rootless } = named;

const GOOD: Readonly<Record<string, object>> = {
  'every value named': named,
  'every value any': formatPolicy(everything),
  'sets of a SHA-256 bank': {
    ...named,
    ...listed('sha256', set({ 0: [hex], 7: ['any'] }), set({ 0: [hex, hex], 7: [hex] }, 'two')),
  },
  'sets of a SHA-384 bank': { ...named, ...listed('sha384', set({ 15: [long] })) },
  'images by digest alone': { ...named, images: [`sha256:${hex}`] },
};

/** What a schema refuses anywhere. */
const REFUSED: Readonly<Record<string, object>> = {
  'an empty list': { ...named, namespaces: [] },
  'a missing list': rootless,
  'no age': ageless,
  'the word any without a list': { ...named, eks: 'any' },
  'any beside a hash': { ...named, eks: ['any', hex] },
  'any beside a name': { ...named, namespaces: ['team', 'any'] },
  'any beside a mode': { ...named, modes: ['any', 'tcp'] },
  'any twice': { ...named, ownerKeys: ['any', 'any'] },
  'a hash in upper case': { ...named, specSha256: [hex.toUpperCase()] },
  'a hash of another length': { ...named, roots: [hex.slice(2)] },
  'a hash with a line end': { ...named, roots: [`${hex}\n`] },
  'an image by tag': { ...named, images: ['app:latest'] },
  'an age of nothing': { ...named, maxAge: 0 },
  'an age in words': { ...named, maxAge: '5m' },
  'a yes in words': { ...named, allowEmulatedTpm: 'true' },
  'PCRs as a word': { ...named, pcrs: 'any' },
  'any PCRs with sets beside it': {
    ...named,
    pcrs: { ...listed('sha256', set({ 0: [hex] })).pcrs, accept: 'any' },
  },
  'listed PCRs without a list': { ...named, pcrs: { accept: 'listed', hash: 'sha256' } },
  'a set without values': { ...named, ...listed('sha256', set({})) },
  'no value of a PCR': { ...named, ...listed('sha256', set({ 0: [] })) },
  'any beside a digest': { ...named, ...listed('sha256', set({ 0: ['any', hex] })) },
  'a SHA-1 bank': { ...named, ...listed('sha1', set({ 0: [hex.slice(24)] })) },
};

/** What takes a validation rule: the devcluster knows none. */
const REFUSED_BY_RULES: Readonly<Record<string, object>> = {
  'a resettable PCR': { ...named, ...listed('sha256', set({ 16: [hex] })) },
  'a PCR with a leading zero': { ...named, ...listed('sha256', set({ '00': [hex] })) },
  'a digest of another bank': { ...named, ...listed('sha256', set({ 0: [long] })) },
  'a digest of a shorter bank': { ...named, ...listed('sha384', set({ 0: [hex] })) },
  'sets of other PCRs': { ...named, ...listed('sha256', set({ 0: [hex] }), set({ 1: [hex] }, 'two')) },
  'a set of fewer PCRs': {
    ...named,
    ...listed('sha256', set({ 0: [hex], 1: [hex] }), set({ 0: [hex] }, 'two')),
  },
};

describe(`AttestationPolicy on ${isRealApiServer ? 'kube-apiserver' : 'the devcluster'}`, () => {
  let server: ApiServerUnderTest;
  let admin: ApiClient;
  const subjects = [
    { signers: ['tcsclusterissuer.tcs.intel.com/enclaves'], namespaces: ['any'], serviceAccounts: ['any'] },
  ];
  let made = 0;
  const post = (
    reference: unknown,
    query = '?fieldValidation=Strict',
    more: object = { subjects },
  ): Promise<ApiAnswer> => {
    const metadata = { name: `policy-${++made}` };
    const apiVersion = 'enclave-licensing.dev/v1alpha1';
    return admin.post(`${POLICIES}${query}`, {
      apiVersion,
      kind: 'AttestationPolicy',
      metadata,
      spec: { reference, ...more },
    });
  };

  beforeAll(async () => {
    server = await apiServerUnderTest();
    admin = apiClient(server, await server.issueClient('admin', ['system:masters']));
    const definition = parseAllDocuments(crds)
      .map((document) => document.toJS() as { metadata: { name: string } })
      .find(({ metadata }) => metadata.name === NAME);
    const answer = await admin.post(`${DEFINITIONS}?fieldValidation=Strict`, definition);
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    await until('policies are served', async () => (await admin.get(POLICIES)).status === 200);
    const { body } = await admin.get(`${DEFINITIONS}/${NAME}`);
    const conditions = (body['status']?.['conditions'] ?? []) as unknown as {
      type: string;
      status: string;
    }[];
    expect(
      conditions.filter(({ type, status }) => type === 'NonStructuralSchema' && status === 'True'),
    ).toEqual([]);
  });
  afterAll(() => server?.stop());

  test.each(Object.entries(GOOD))('stores unchanged: %s', async (_name, reference) => {
    expect(parsePolicy(reference).ok).toBe(true);
    const answer = await post(reference);
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    expect(answer.body['spec']).toEqual({ reference, subjects });
  });

  test.each(Object.entries(isRealApiServer ? { ...REFUSED, ...REFUSED_BY_RULES } : REFUSED))(
    'refuses: %s',
    async (_name, reference) => {
      expect(parsePolicy(reference).ok).toBe(false);
      const answer = await post(reference);
      expect(answer).toMatchObject({ status: 422, body: { reason: 'Invalid' } });
      expect(JSON.stringify(answer.body['details'])).toContain('spec.reference');
    },
  );

  test('what is changed by chance is taken and refused as by the parser', async () => {
    let taken = 0;
    const property = fc.asyncProperty(mutatedPolicies, async (reference) => {
      const { status, body } = await post(reference, '?fieldValidation=Strict&dryRun=All');
      const parsed = parsePolicy(reference).ok;
      taken += parsed ? 1 : 0;
      const answer = `${JSON.stringify(reference)}: ${JSON.stringify(body)}`;
      expect([201, 400, 422], answer).toContain(status);
      const stored = body['spec']?.['reference'];
      if (parsed) expect({ status, stored }, answer).toEqual({ status: 201, stored: reference });
      // Null is dropped where nothing is required, so what counts is what was stored. The devcluster knows no rules.
      else if (isRealApiServer && status === 201) expect(parsePolicy(stored).ok, answer).toBe(true);
    });
    await fc.assert(property, { numRuns: 200 });
    expect(taken).toBeGreaterThan(3);
  });

  test('an unknown member is refused where strict validation is asked for, as kubectl does, and dropped elsewhere', async () => {
    const strict = await post({ ...named, root: ['any'] });
    expect(strict.status).toBe(400);
    expect(JSON.stringify(strict.body)).toContain('unknown field');
    const dropped = await post({ ...named, root: ['any'] }, '');
    expect(dropped).toMatchObject({ status: 201 });
    expect(dropped.body['spec']?.['reference']).toEqual(named);
  });

  test('who may have what has to be said', async () => {
    for (const more of [{}, { subjects: [] }, { subjects: [{ signers: ['a/b'], namespaces: ['any'] }] }])
      expect(await post(named, '', more)).toMatchObject({ status: 422 });
  });
});
