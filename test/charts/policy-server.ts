/** An API server with the release's admission policies, and everybody who asks it. Only the real one runs CEL: the devcluster stores them. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type ApiAnswer, type ApiClient, apiClient } from '../contract/api-client.ts';
import { apiServerUnderTest } from '../support/api-server-under-test.ts';
import { until } from '../support/until.ts';
import { type Attempt, CALLERS, type Caller } from './attempt.ts';
import { NODES } from './cluster-requests.ts';

interface Registered {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly policyName?: string;
    readonly validationActions?: readonly string[];
    readonly failurePolicy?: string;
    readonly matchConstraints?: {
      readonly namespaceSelector?: { readonly matchExpressions: readonly object[] };
      readonly resourceRules: readonly { readonly scope: string }[];
    };
    readonly validations?: readonly { readonly message?: string; readonly reason?: string }[];
  };
}

export interface PolicyServer {
  as(caller: Caller): ApiClient;
  send(attempt: Attempt): Promise<ApiAnswer>;
  register(): Promise<void>;
  /** Serves the release's AttestedNode. */
  defineNodes(): Promise<void>;
  /** Takes every policy out of force. */
  unbind(): Promise<void>;
  stop(): Promise<void>;
}

const GROUP = '/apis/admissionregistration.k8s.io/v1';
const objectsOf = (file: string): Registered[] =>
  parseAllDocuments(
    readFileSync(new URL(`../../charts/licensing/files/${file}`, import.meta.url), 'utf8'),
  ).map((document) => document.toJS() as Registered);
const objects = ['admission.yaml', 'admission-objects.yaml'].flatMap(objectsOf);
export const policyName = (short: string): string => `${short}.enclave-licensing.dev`;
/** The one policy that warns, and refuses nothing. */
export const WARNS = 'templates.enclave-licensing.dev';
export const POLICIES = objects.filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
export const BINDINGS = objects.filter(({ kind }) => kind === 'ValidatingAdmissionPolicyBinding');

export const said = ({ status, body }: ApiAnswer): string =>
  `${status} ${JSON.stringify(body['message'] ?? body)}`;

export async function must(answer: Promise<ApiAnswer>): Promise<ApiAnswer> {
  const got = await answer;
  expect(got.status, said(got)).toBeLessThan(300);
  return got;
}

export async function startPolicyServer(): Promise<PolicyServer> {
  const server = await apiServerUnderTest();
  const clients = new Map<Caller, ApiClient>();
  for (const [caller, [user, groups]] of Object.entries(CALLERS))
    clients.set(caller as Caller, apiClient(server, await server.issueClient(user, groups)));
  const as = (caller: Caller): ApiClient => {
    const client = clients.get(caller);
    if (client === undefined) throw new Error(`nobody is ${caller}`);
    return client;
  };
  return {
    as,
    send: ({ as: caller, method, path, body }) => {
      if (method === 'delete') return as(caller).delete(path);
      return method === 'get' || method === 'post'
        ? as(caller)[method](path, body)
        : as(caller).patch(path, method, body);
    },
    register: async () => {
      for (const object of objects) {
        const plural = object.kind === 'ValidatingAdmissionPolicy' ? 'policies' : 'policybindings';
        const kind = `validatingadmission${plural}`;
        await must(as('admin').post(`${GROUP}/${kind}?fieldValidation=Strict`, object));
      }
    },
    defineNodes: async () => {
      const crd = objectsOf('crds.yaml').find(({ metadata }) => metadata.name.startsWith('attestednodes.'));
      await must(as('admin').post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd));
      await until('nodes are served', async () => (await as('admin').get(NODES)).status === 200);
    },
    unbind: async () => {
      for (const { metadata } of BINDINGS)
        await must(as('admin').delete(`${GROUP}/validatingadmissionpolicybindings/${metadata.name}`));
    },
    stop: () => server.stop(),
  };
}
