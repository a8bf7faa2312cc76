import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cleanUp, KEEP_FINISHED_MS } from '../../certs/controller/cleaner.ts';
import { TCS_CLUSTER_ISSUERS } from '../../certs/start/cluster-issuers.ts';
import { concat, toUtf8 } from '../../formats/bytes/bytes.ts';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../names/components.ts';
import { ISSUERS, SIGNERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { requestCertificate } from '../../platform/identity/request-certificate.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  CONFIG_MAPS,
  MUTATING_WEBHOOK_CONFIGURATIONS,
} from '../../platform/kube/resources.ts';
import { verifyChain } from '../../verify/certificate-chain.ts';
import { until } from '../support/until.ts';
import { ensure, RELEASE, startTestCluster, type TestCluster } from './cluster.ts';
import { openSession, patience, refusalOf, type Session, seconds } from './session.ts';

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

describe('the cluster', () => {
  test('has the roots, and caBundle in the webhook configuration as often as it is lost', async () => {
    expect(rootsToJson(session.roots)).toBe(
      (await cluster.admin.get(CONFIG_MAPS, { name: ROOTS_CONFIG_MAP, namespace: RELEASE }))?.data?.[
        ROOTS_KEY
      ],
    );
    const webhook = {
      name: 'launched.enclave-licensing.dev',
      clientConfig: { service: { name: 'enclave-webhook', namespace: RELEASE, path: '/mutate' } },
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      // Matches nothing: only the bundle matters here.
      namespaceSelector: { matchLabels: { 'certs.test/none': 'true' } },
    };
    const ref = { name: 'enclave-licensing' };
    await ensure(cluster.admin, MUTATING_WEBHOOK_CONFIGURATIONS, { metadata: ref, webhooks: [webhook] });
    const expected = Buffer.from(
      session.roots.system.map((root) => encodePem('CERTIFICATE', root)).join(''),
    ).toString('base64');
    const bundle = async () =>
      (await cluster.admin.get(MUTATING_WEBHOOK_CONFIGURATIONS, ref))?.webhooks?.[0]?.clientConfig.caBundle;
    await until('caBundle', async () => (await bundle()) === expected);
    await cluster.admin.patch(MUTATING_WEBHOOK_CONFIGURATIONS, ref, { webhooks: [webhook] });
    await until('caBundle again', async () => (await bundle()) === expected);
    await cluster.admin.delete(MUTATING_WEBHOOK_CONFIGURATIONS, ref);
  });
});

describe('our issuers', () => {
  test('are TCSClusterIssuers, and ready', async () => {
    const issuers = await until('four issuers', async () => {
      const { items } = await cluster.admin.list(TCS_CLUSTER_ISSUERS);
      return (
        items.length === 4 && items.every(({ status }) => status?.conditions?.[0]?.status === 'True') && items
      );
    });
    expect(issuers.map(({ metadata }) => metadata?.name).sort()).toEqual([...ISSUERS].sort());
  });
});

describe("components' certificates", () => {
  test('by who asks; a refusal stands where the API server keeps it', async () => {
    const credential = await session.credentialOf('enclave-front');
    const verified = verifyChain(nodeCrypto, credential.chain, {
      roots: session.roots,
      role: 'system',
      now: seconds(),
      dnsName: 'front.enclave-licensing.internal',
    });
    expect(verified.ok ? 'ok' : verified.message).toBe('ok');

    const key = generateKey();
    const dns = ['front.enclave-licensing.internal'];
    const request = buildCertificateRequest({ spki: key.spki, dns }, key.sign, key.scheme);
    const name = `component-webhook-${randomBytes(5).toString('hex')}`;
    const usages = ['digital signature', 'server auth', 'client auth'];
    const kube = await cluster.as('enclave-webhook');
    const wanted = { name, signerName: SIGNERS.system, usages, request };
    expect(await refusalOf(requestCertificate(kube, wanted, patience()))).toBe('names-differ');
    const object = await cluster.admin.get(CERTIFICATE_SIGNING_REQUESTS, { name });
    expect(object?.status?.conditions).toMatchObject([
      { type: 'Denied', status: 'True', reason: 'names-differ' },
    ]);
    expect(object?.status?.conditions?.[0]?.message).toContain('webhook.enclave-licensing.internal');
    expect(object?.status?.certificate).toBeUndefined();
  });

  test('finished requests are deleted, after they could be read', async () => {
    await session.credentialOf('enclave-launcher');
    const objects = (await cluster.admin.list(CERTIFICATE_SIGNING_REQUESTS)).items;
    expect(objects.length).toBeGreaterThan(0);
    expect(await cleanUp(cluster.admin, objects, Date.now())).toBe(0);
    const kube = await cluster.as('enclave-certs');
    expect(await cleanUp(kube, objects, Date.now() + KEEP_FINISHED_MS + 1000)).toBe(objects.length);
    expect((await cluster.admin.list(CERTIFICATE_SIGNING_REQUESTS)).items).toEqual([]);
  });
});

describe('the trust service', () => {
  test('knows its callers by certificate', async () => {
    const anonymous = session.anonymousTrustClient();
    expect(await refusalOf(session.document(anonymous))).toBe('caller-unknown');
    const jwks = JSON.stringify({
      keys: [{ kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43), kid: 'k' }],
    });
    const [front, launcher] = await Promise.all([
      session.trustClient('enclave-front'),
      session.trustClient('enclave-launcher'),
    ]);
    expect(await refusalOf(launcher.setTokenKeys({ jwks }))).toBe('caller-role');
    const { version } = await front.setTokenKeys({ jwks });
    expect((await session.document(launcher, Number(version) - 1)).tokenKeys.keys).toHaveLength(1);
  });

  test('after a restart everything is as it was, and newer; an approval by hand changes no verdict', async () => {
    const before = await session.document(await session.trustClient('enclave-launcher'));
    const key = generateKey();
    const dns = ['certs.enclave-licensing.internal'];
    const name = `component-front-${randomBytes(5).toString('hex')}`;
    const pem = encodePem(
      'CERTIFICATE REQUEST',
      buildCertificateRequest({ spki: key.spki, dns }, key.sign, key.scheme),
    );
    await session.restart(async () => {
      const object = await (await cluster.as('enclave-front')).create(CERTIFICATE_SIGNING_REQUESTS, {
        metadata: { name },
        spec: {
          signerName: SIGNERS.system,
          usages: ['digital signature', 'server auth', 'client auth'],
          request: Buffer.from(toUtf8(pem)).toString('base64'),
        },
      });
      const approved = { type: 'Approved', status: 'True', reason: 'byHand', message: 'because I can' };
      await cluster.admin.replace(
        CERTIFICATE_SIGNING_REQUESTS,
        { ...object, status: { conditions: [approved] } },
        'approval',
      );
    });
    const failed = await until('the request failed', async () => {
      const found = await cluster.admin.get(CERTIFICATE_SIGNING_REQUESTS, { name });
      return found?.status?.conditions?.find(({ type }) => type === 'Failed');
    });
    expect(failed.reason).toBe('names-differ');
    const after = await session.document(await session.trustClient('enclave-launcher'));
    expect(after.version).toBeGreaterThan(before.version);
    expect(after.revoked).toEqual(before.revoked);
    expect(after.tokenKeys).toEqual(before.tokenKeys);
    expect(concat(...after.roots.system)).toEqual(concat(...before.roots.system));
  });

  test('outlives an API server that goes away and comes back', async () => {
    await cluster.suspend();
    const watching = await session.trustClient('enclave-front').then(
      () => 'ok',
      () => 'away',
    );
    expect(watching).toBe('away');
    await cluster.resume();
    const credential = await until('a certificate again', () =>
      session.credentialOf('enclave-front').catch(() => undefined),
    );
    expect(credential.notAfter).toBeGreaterThan(seconds());
  });

  test('logs no token', () => {
    expect(session.service.lines.join('\n')).not.toMatch(/eyJ[A-Za-z0-9_-]{10}/);
    expect(session.service.metrics.get('enrolments_total{outcome="enrolled"}') ?? 0).toBeGreaterThanOrEqual(
      0,
    );
  });
});
