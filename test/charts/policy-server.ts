/** An API server with the release's admission policies, and everybody who asks it. Only the real one runs CEL: the devcluster stores them. */
import { expect } from 'vitest';
import { type ApiAnswer, type ApiClient, apiClient } from '../contract/api-client.ts';
import { apiServerUnderTest } from '../support/api-server-under-test.ts';
import { until } from '../support/until.ts';
import { type Attempt, CALLERS, type Caller } from './attempt.ts';
import { NODES } from './cluster-requests.ts';
import { BINDINGS, objectsOf, POLICY_OBJECTS } from './release-policies.ts';

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
      for (const object of POLICY_OBJECTS) {
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
