import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodePem } from '../../formats/x509/pem.ts';
import { readSidecar } from '../../injection/read-sidecar.ts';
import { ENCLAVE_LABEL, INJECT_LABEL, INJECTION_LABEL } from '../../names/labels.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import { createWebhook } from '../../webhook/server.ts';
import type { Caller } from '../charts/attempt.ts';
import { must, type PolicyServer, said, startPolicyServer } from '../charts/policy-server.ts';
import { isRealApiServer } from '../support/api-server-under-test.ts';
import { markdownTable, quoted } from '../support/markdown-table.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';
import { webhookConfigurations } from '../support/webhook-configuration.ts';
import { CONFIG, enclavePod } from './support.ts';

/** The table of docs/injection.md, each cell tried with the release's webhooks and policies (which the real API server alone runs). */
const [, ...rows] = markdownTable('docs/injection.md', 'Which pods');

/** What the words of a row or a column stand for: `undefined` is no label. */
const ENCLAVE: Readonly<Record<string, readonly [Caller, readonly (string | undefined)[]]>> = {
  none: ['admin', [undefined]],
  '`eabc`, by the launcher': ['launcher', ['eabc']],
  '`eabc`, by anyone else': ['admin', ['eabc']],
  'no id': ['launcher', ['', 'shop.web', 'Upper']],
};
const INJECT: Readonly<Record<string, readonly (string | undefined)[]>> = {
  none: [undefined],
  '`enabled`': ['enabled'],
  'another value': ['', 'true', 'disabled'],
};
const COLUMNS = [['shop'], ['switched-off', 'plain'], ['enclave-licensing', 'kube-system']] as const;
const NAMESPACES: Readonly<Record<string, object>> = {
  shop: { [INJECTION_LABEL]: 'enabled' },
  'switched-off': { [INJECTION_LABEL]: 'disabled' },
  plain: {},
  'enclave-licensing': { [INJECTION_LABEL]: 'enabled' },
  'kube-system': { [INJECTION_LABEL]: 'enabled' },
};

const undo: (() => unknown)[] = [];
let server: PolicyServer;

function podOf(enclave: string | undefined, inject: string | undefined, namespace: string): object {
  const labels = {
    ...(enclave !== undefined && { [ENCLAVE_LABEL]: enclave }),
    ...(inject !== undefined && { [INJECT_LABEL]: inject }),
  };
  const { metadata, ...pod } = enclavePod();
  // A pod without a label of ours may not have annotations of ours either.
  const annotations = Object.keys(labels).length > 0 ? metadata?.annotations : {};
  return { ...pod, metadata: { name: 'which', namespace, labels, annotations } };
}

/** What became of it: the enclave's id, nothing, or the names of what refused it. */
async function outcome(
  caller: Caller,
  enclave: string | undefined,
  inject: string | undefined,
  namespace: string,
): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All`;
  const answer = await server.as(caller).post(path, podOf(enclave, inject, namespace));
  if (answer.status === 201) {
    const sidecar = readSidecar(answer.body as object);
    return sidecar.ok ? `enclave ${sidecar.value.enclave}` : 'left alone';
  }
  const text = said(answer);
  const code = /\(([a-z-]+)\)"?$/.exec(text)?.[1];
  const policy = /'([a-z-]+)\.enclave-licensing\.dev' with binding/.exec(text)?.[1];
  return code ?? policy ?? text;
}

/** What a cell says, on the API server at hand: the development cluster runs no policies. */
function expected(cell: string, namespace: string): string[] {
  if (cell === 'left alone') return [cell];
  const [id = ''] = quoted(cell);
  if (cell.startsWith('enclave '))
    return [`enclave ${id.replace('<namespace>', namespace).replace('<service account>', 'web')}`];
  if (!cell.startsWith('refused: ')) throw new Error(`docs/injection.md: what does "${cell}" mean?`);
  const policies = [...cell.matchAll(/policy `([a-z-]+)`/g)].map(([, name = '']) => name);
  const codes = quoted(cell).filter((name) => !policies.includes(name));
  if (isRealApiServer) return [...codes, ...policies];
  return codes.length > 0 ? codes : ['left alone'];
}

beforeAll(async () => {
  server = await startPolicyServer();
  undo.push(() => server.stop());
  const authority = createTestAuthority();
  const { log } = recordingLogger();
  const webhook = createWebhook({
    config: () => CONFIG,
    releaseNamespace: 'enclave-licensing',
    log,
    metrics: recordingMetrics(),
    https: serverTlsOptions({ credential: authority.issue({ dns: ['localhost'] }) }),
  });
  await webhook.listen({ host: '127.0.0.1', port: 0 });
  undo.push(() => webhook.close());
  const { port } = webhook.server.address() as AddressInfo;
  const caBundle = Buffer.from(encodePem('CERTIFICATE', authority.root)).toString('base64');
  const admin = server.as('admin');
  for (const [name, labels] of Object.entries(NAMESPACES)) {
    const { status } = await admin.post('/api/v1/namespaces', { metadata: { name, labels } });
    if (status === 409)
      await must(admin.patch(`/api/v1/namespaces/${name}`, 'merge', { metadata: { labels } }));
    await until(`service account in ${name}`, async () => {
      const path = `/api/v1/namespaces/${name}/serviceaccounts`;
      const made = await admin.post(path, { metadata: { name: 'web' } });
      return made.status === 201 || made.status === 409;
    });
  }
  await server.register();
  for (const configuration of webhookConfigurations(`https://localhost:${port}`, caBundle)) {
    const kind = `${configuration.kind.toLowerCase()}s`;
    await must(admin.post(`/apis/admissionregistration.k8s.io/v1/${kind}`, configuration));
  }
  // Both reach admission a moment later on a real API server.
  await until('the webhooks are asked', async () => {
    const injected = await outcome('admin', undefined, 'enabled', 'shop');
    return (
      injected === 'enclave shop.web' &&
      (await outcome('admin', 'eabc', undefined, 'shop')) !== 'enclave eabc'
    );
  });
  const [refused = ''] = expected('refused: policy `prefix`', 'plain');
  for (const namespace of COLUMNS[1])
    await until(
      'the policies hold',
      async () => (await outcome('admin', 'eabc', undefined, namespace)) === refused,
    );
});
afterAll(async () => {
  for (const each of undo.reverse()) await each();
});

test('the table has every combination once', () => {
  const combinations = Object.keys(ENCLAVE).flatMap((enclave) =>
    Object.keys(INJECT).map((inject) => `${enclave} | ${inject}`),
  );
  expect(rows.map(([enclave, inject]) => `${enclave} | ${inject}`).sort()).toEqual(combinations.sort());
  expect(rows.every((row) => row.length === 2 + COLUMNS.length)).toBe(true);
});

test.each(rows.map((row) => [row.slice(0, 2).join(' | '), row] as const))('%s', async (_, row) => {
  const [enclaveWord = '', injectWord = '', ...cells] = row;
  const [caller, ids] = ENCLAVE[enclaveWord] ?? ['admin', []];
  for (const enclave of ids)
    for (const inject of INJECT[injectWord] ?? [])
      for (const [column, namespaces] of COLUMNS.entries())
        for (const namespace of namespaces) {
          const what = `enclave ${enclave}, inject ${inject}, in ${namespace}`;
          const seen = await outcome(caller, enclave, inject, namespace);
          expect(expected(cells[column] ?? '', namespace), `${what}: ${seen}`).toContain(seen);
        }
});
