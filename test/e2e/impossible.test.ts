import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Environment, Replicated } from '../../tools/cluster/environment.ts';
import { startEnvironment } from '../../tools/cluster/start-environment.ts';

/** What components say on a cluster where they cannot work: each names what is missing, in its log, at once. */
let directory: string;
let environment: Environment;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'impossible-'));
  environment = await startEnvironment({ directory });
});
afterAll(async () => {
  await environment?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const kubectl = (...args: string[]): Promise<string> => environment.kubectl(args);
const file = (name: string): string => join('charts/licensing/files', name);

/** The newest lines of a component's log. */
async function words(component: string): Promise<string> {
  const selected = ['-l', `app.kubernetes.io/name=${component}`, '--tail=30'];
  return (await environment.tryKubectl(['logs', '-n', environment.releaseNamespace, ...selected])).stdout;
}

/** Ends it, so that what is said from now on is said by who knows no better; and starts it, which `started` is about: it will not be ready. */
async function startAnew(component: Replicated): Promise<{ readonly started: Promise<void> }> {
  await environment.replicas(component, 0).catch(() => undefined);
  return { started: environment.replicas(component, 1).catch(() => undefined) };
}

test('a certificate service that may not approve: it says for which signer, and who waits says for whom', async () => {
  const role = JSON.parse(await kubectl('get', 'clusterrole', 'enclave-certs', '-o', 'json')) as {
    rules: { resources: string[] }[];
  };
  const rules = role.rules.filter(({ resources }) => !resources.includes('signers'));
  await environment.kubectl(['apply', '-f', '-'], JSON.stringify({ ...role, rules }));
  const { started } = await startAnew('enclave-launcher');
  try {
    const certs =
      /not permitted to approve requests with signerName \\?"tcsclusterissuer\.tcs\.intel\.com\/system/;
    await expect.poll(() => words('enclave-certs'), { timeout: 40_000 }).toMatch(certs);
    const waits =
      /nobody has signed certificate request component-launcher-\w+ yet: does the certificate service run/;
    await expect.poll(() => words('enclave-launcher'), { timeout: 40_000 }).toMatch(waits);
  } finally {
    await kubectl('apply', '-f', file('certs.yaml'));
    await started;
  }
});

test('a certificate service without any right: it says which lease it may not have, once', async () => {
  await kubectl('delete', 'rolebinding', 'enclave-certs', '-n', environment.releaseNamespace);
  const { started } = await startAnew('enclave-certs');
  try {
    const why = /the lease cannot be had: .*leases.* is forbidden/;
    const said = async () => (await words('enclave-certs')).split('\n').filter((line) => why.test(line));
    await expect.poll(said, { timeout: 40_000 }).toHaveLength(1);
  } finally {
    await kubectl('apply', '-f', file('certs.yaml'));
    await started;
  }
});

test('a definition that is not installed: it is named', async () => {
  const name = 'tcsclusterissuers.tcs.intel.com';
  const definition = JSON.parse(await kubectl('get', 'crd', name, '-o', 'json')) as { metadata: object };
  await kubectl('delete', 'crd', name);
  const { started } = await startAnew('enclave-certs');
  try {
    await expect
      .poll(() => words('enclave-certs'), { timeout: 40_000 })
      .toContain(
        '/apis/tcs.intel.com/v1alpha1/tcsclusterissuers; is its CustomResourceDefinition installed?',
      );
  } finally {
    const metadata = { ...definition.metadata, uid: undefined, resourceVersion: undefined };
    await environment.kubectl(['apply', '-f', '-'], JSON.stringify({ ...definition, metadata }));
    await started;
  }
});
