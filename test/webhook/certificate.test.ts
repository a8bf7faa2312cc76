import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodePem } from '../../formats/x509/pem.ts';
import { MUTATING_WEBHOOK_CONFIGURATIONS } from '../../platform/kube/resources.ts';
import { ensure, RELEASE, startTestCluster, type TestCluster } from '../certs/cluster.ts';
import { openSession, type Session } from '../certs/session.ts';
import { until } from '../support/until.ts';
import { agentOf, serve } from './serving-fixture.ts';

/** The certificate's whole way: request object, certificate service, caBundle as it stands in the cluster, calls as an API server makes them. */
let cluster: TestCluster;
let session: Session;

beforeAll(async () => {
  cluster = await startTestCluster();
  session = await openSession(cluster);
});
afterAll(async () => {
  await session?.stop();
  await cluster?.close();
});

test('from the certificate service, renewed under load, is believed by the caBundle that it wrote; no request fails', async () => {
  const ref = { name: 'enclave-licensing' };
  await ensure(cluster.admin, MUTATING_WEBHOOK_CONFIGURATIONS, {
    metadata: ref,
    webhooks: [
      {
        name: 'launched.enclave-licensing.dev',
        clientConfig: { service: { name: 'enclave-webhook', namespace: RELEASE, path: '/mutate' } },
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        // Matches nothing: this test calls by itself.
        namespaceSelector: { matchLabels: { 'certs.test/none': 'true' } },
      },
    ],
  });
  const bundle = await until('caBundle', async () => {
    const found = await cluster.admin.get(MUTATING_WEBHOOK_CONFIGURATIONS, ref);
    return found?.webhooks?.[0]?.clientConfig.caBundle;
  });
  const roots = decodePem('CERTIFICATE', Buffer.from(bundle, 'base64').toString());
  if (!roots.ok) throw new Error(roots.message);

  // Two replicas, each with a key and certificate of its own.
  const replicas = await Promise.all(
    [1, 2].map(async () => serve({ credential: await session.credentialOf('enclave-webhook') })),
  );
  const outcomes: (number | string)[] = [];
  let renewing = true;
  const load = replicas.flatMap(({ call }) =>
    [agentOf(roots.value, undefined, { keepAlive: true, maxSockets: 1 }), agentOf(roots.value)].map(
      async (agent) => {
        while (renewing)
          outcomes.push(
            await call({ agent }).then(
              ({ status }) => status,
              (error: Error) => error.message,
            ),
          );
        agent.destroy();
      },
    ),
  );
  for (let i = 0; i < 6; i += 1) {
    const enough = outcomes.length + 40;
    replicas[i % 2]?.identity.set(await session.credentialOf('enclave-webhook'));
    await until('more requests', async () => outcomes.length >= enough);
  }
  renewing = false;
  await Promise.all(load);
  for (const { app, troubles } of replicas) {
    expect(troubles).toEqual([]);
    await app.close();
  }
  expect(outcomes.length).toBeGreaterThan(200);
  expect(outcomes.filter((outcome) => outcome !== 200)).toEqual([]);
});
