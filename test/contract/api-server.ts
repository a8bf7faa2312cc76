import { afterAll, beforeAll, describe } from 'vitest';
import { type ApiClient, type ApiServerUnderTest, apiClient } from './api-client.ts';
import { accessContract } from './api-server-access.ts';
import { admissionContract } from './api-server-admission.ts';
import { certificateContract } from './api-server-certificates.ts';
import { customContract } from './api-server-custom.ts';
import { kubectlContract } from './api-server-kubectl.ts';
import { objectContract } from './api-server-objects.ts';
import { podContract } from './api-server-pods.ts';

/** What a part of the contract works with; the getters are good once the tests run. */
export interface Subject {
  readonly server: ApiServerUnderTest;
  readonly admin: ApiClient;
}

/**
 * What the project relies on in an API server. It runs on the development cluster's and on a real kube-apiserver, so
 * that the one cannot drift from the other.
 */
export function apiServerContract(name: string, start: () => Promise<ApiServerUnderTest>): void {
  describe(`API server contract: ${name}`, () => {
    let server: ApiServerUnderTest;
    let admin: ApiClient;
    const subject: Subject = {
      get server() {
        return server;
      },
      get admin() {
        return admin;
      },
    };
    beforeAll(async () => {
      server = await start();
      admin = apiClient(server, await server.issueClient('contract-admin', ['system:masters']));
    });
    afterAll(() => server?.stop());
    describe('objects', () => objectContract(subject));
    describe('pods', () => podContract(subject));
    describe('access', () => accessContract(subject));
    describe('certificate requests', () => certificateContract(subject));
    describe('admission', () => admissionContract(subject));
    describe('custom resources', () => customContract(subject));
    describe('kubectl', () => kubectlContract(subject));
  });
}
