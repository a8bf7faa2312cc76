import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { enrol } from '../../agent/enrolment/enrol.ts';
import { toHex } from '../../formats/bytes/bytes.ts';
import { publicToSpki } from '../../formats/tpm/public.ts';
import { DEFAULT_RELEASE_NAMESPACE, serviceDnsName } from '../../names/components.ts';
import { ENROLMENT_AUDIENCE, PORTS } from '../../names/wire.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { ATTESTED_NODES } from '../../platform/kube/attested-nodes.ts';
import { createKube } from '../../platform/kube/create-kube.ts';
import { apiServerFromKubeconfig } from '../../platform/kube/kubeconfig.ts';
import { ekSecret, nodeSecret } from '../../platform/kube/node-binding.ts';
import { customResource, PODS, SECRETS, SERVICE_ACCOUNTS } from '../../platform/kube/resources.ts';
import type { KubeObject } from '../../platform/kube/wire.ts';
import { createRpcClient } from '../../platform/rpc/rpc-client.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { liveValue } from '../../platform/run/live.ts';
import { EnrolmentServiceService } from '../../proto/gen/enclave_licensing/enrolment/v1/enrolment_service.ts';
import { loadAttestationKey } from '../../tpm/attestation-key.ts';
import { loadEndorsementKey } from '../../tpm/endorsement-key.ts';
import { TpmExecutor } from '../../tpm/executor.ts';
import { startup } from '../../tpm/objects.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import { type AgentWorld, startAgentWorld } from '../support/agent-world.ts';
import { type Person, person } from '../support/enclavectl.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { until } from '../support/until.ts';
import { SidecarCalls } from './sidecar-calls.ts';

const NAMESPACE = DEFAULT_RELEASE_NAMESPACE;
let world: AgentWorld;
let replacement: Swtpm;
let tpm: TpmExecutor;
let operator: Person;
let kubeconfig: string;

/** A second machine's TPM, whose maker counts. */
beforeAll(async () => {
  replacement = await startSwtpm();
  world = await startAgentWorld();
  const makers = join(world.cluster.ekRootsDir, 'emulated');
  await mkdir(makers, { recursive: true });
  for (const name of await readdir(replacement.caFolder))
    if (name.endsWith('cert.pem'))
      await writeFile(join(makers, `second-${name}`), await readFile(join(replacement.caFolder, name)));
  tpm = new TpmExecutor(await openTransport(replacement.address));
  await startup(tpm);
  operator = person('127.0.0.1:1');
  kubeconfig = await operatorsKubeconfig();
}, 120_000);
afterAll(async () => {
  operator?.remove();
  await tpm?.close();
  await replacement?.remove();
  await world?.stop();
});

/** Of a service account that has the rights which the documentation names, and no others. */
async function operatorsKubeconfig(): Promise<string> {
  const documented = (await readFile('docs/certs.md', 'utf8')).match(
    /```yaml\n(apiVersion: rbac.*?)```/s,
  )?.[1];
  const rbac = (kind: string, plural: string) =>
    customResource<KubeObject>('rbac.authorization.k8s.io/v1', kind, plural, kind.startsWith('Role'));
  const subjects = [{ kind: 'ServiceAccount', name: 'operator', namespace: NAMESPACE }];
  const roleRef = (kind: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: 'enclave-nodes' });
  await world.kube.create(SERVICE_ACCOUNTS, { metadata: { name: 'operator', namespace: NAMESPACE } });
  for (const text of documented?.split('---\n') ?? []) {
    const role = parse(text) as KubeObject;
    await world.kube.create(rbac(role.kind ?? '', `${role.kind?.toLowerCase()}s`), role);
    const metadata = { name: 'operator', namespace: role.metadata?.namespace };
    const binding = { metadata, subjects, roleRef: roleRef(role.kind ?? '') } as KubeObject;
    await world.kube.create(rbac(`${role.kind}Binding`, `${role.kind?.toLowerCase()}bindings`), binding);
  }
  const answer = await world.kube.createSubresource<{ status: { token: string } }>(
    SERVICE_ACCOUNTS,
    { name: 'operator', namespace: NAMESPACE },
    'token',
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: [], expirationSeconds: 3600 },
    },
  );
  return operator.file('operator.json', await kubeconfigOf({ token: answer.status.token }));
}

async function kubeconfigOf(user: object, server = world.cluster.api): Promise<string> {
  const text = await readFile(world.cluster.kubeconfig, 'utf8');
  const authority = /certificate-authority-data: (\S+)/.exec(text)?.[1];
  return JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': authority } }],
    users: [{ name: 'u', user }],
  });
}

/** The agent of the node, if it had the other TPM: everything else is the same. */
async function enrolReplacement(): Promise<string> {
  const agent = await world.kube.get(PODS, { name: `enclave-agent-${world.node}`, namespace: NAMESPACE });
  const certs = await world.kube.get(PODS, { name: 'enclave-certs', namespace: NAMESPACE });
  if (agent === undefined) throw new Error('no agent');
  const client = createRpcClient(EnrolmentServiceService, {
    address: { host: certs?.status?.podIP ?? '', port: PORTS.certs },
    serverName: serviceDnsName('certs', NAMESPACE),
    roots: liveValue(world.roots.system),
    maxResponseBytes: 64 * 1024,
  });
  try {
    const enrolled = await enrol(
      { tpm, attestationKey: await loadAttestationKey(tpm) },
      {
        client,
        crypto: nodeCrypto,
        roots: world.roots,
        now: Math.floor(Date.now() / 1000),
        token: await world.token(agent, ENROLMENT_AUDIENCE),
        signal: AbortSignal.timeout(10_000),
      },
    );
    return enrolled.ok ? 'enrolled' : enrolled.code;
  } catch (error) {
    if (error instanceof RpcRefusal) return `${error.code}: ${error.remedy}`;
    throw error;
  } finally {
    client.close();
  }
}

const attested = () => world.kube.get(ATTESTED_NODES, { name: world.node });
async function nodes(...argv: string[]) {
  const ran = await operator.run('admin', 'nodes', ...argv, '--kubeconfig', kubeconfig, '--json');
  return { exit: ran.exit, answer: JSON.parse(ran.out) };
}

describe('enclavectl admin nodes', () => {
  test('ls shows nodes, TPMs and keys; rotate has the agent replace its key, and both are listed', async () => {
    const before = await attested();
    const [first] = before?.status?.attestationKeys ?? [];
    const listed = await nodes('ls');
    expect(listed).toMatchObject({
      exit: 0,
      answer: {
        nodes: [
          { node: world.node, tpmTrust: 'emulated', boundEkSha256: before?.spec?.ekSha256, retired: [] },
        ],
      },
    });
    const { pod, address } = await world.enclave('quoting');
    const calls = new SidecarCalls(world, address, await world.token(pod));
    const quoting = { on: true, quotes: 0 };
    const credential = await calls.credential();
    const load = (async () => {
      // Rejects when one fails.
      for (let used: typeof credential | undefined = credential; quoting.on; used = undefined) {
        await calls.quote(new Uint8Array(32), used);
        quoting.quotes += 1;
      }
    })();
    const asked = await nodes('rotate', world.node);
    expect(asked).toMatchObject({ exit: 0, answer: { retired: [first?.spkiSha256] } });
    const keys = await until('another key is certified', async () => {
      const found = (await attested())?.status?.attestationKeys ?? [];
      return found.length === 2 ? found : undefined;
    });
    expect(keys[0]?.spkiSha256).toBe(first?.spkiSha256);
    expect(keys.every(({ notAfter }) => Date.parse(notAfter) > Date.now())).toBe(true);
    // The kubeconfig as kubectl finds it; a file that is not there is passed over.
    const other = person('127.0.0.1:1', { KUBECONFIG: `/nowhere/config:${kubeconfig}` });
    expect((await other.run('admin', 'nodes', 'ls')).out).toContain('2 keys');
    other.remove();
    // Once: the request names the old key.
    await until('the agent says so', async () =>
      (await world.log('agent')).includes('the attestation key was replaced'),
    );
    expect((await attested())?.status?.attestationKeys).toHaveLength(2);
    const after = quoting.quotes;
    await until('quotes go on', async () => quoting.quotes > after + 20);
    quoting.on = false;
    await load;
    calls.close();
  });

  test('another TPM is refused under the name, also when the AttestedNode is deleted, and accepted after release', async () => {
    const release = `enclavectl admin nodes release ${world.node}`;
    const bound = [nodeSecret(world.node), ekSecret((await attested())?.spec?.ekSha256 ?? '')];
    for (const name of bound)
      expect(await world.kube.get(SECRETS, { name, namespace: NAMESPACE })).toBeDefined();
    expect(await enrolReplacement()).toContain(release);
    await world.kube.delete(ATTESTED_NODES, { name: world.node });
    expect(await enrolReplacement()).toContain(release);
    expect((await nodes('ls')).answer.nodes).toMatchObject([{ node: world.node, ekSha256: null }]);

    expect(await nodes('release', 'no-such-node', '--yes')).toMatchObject({
      exit: 2,
      answer: { code: 'node-unknown' },
    });
    expect(await nodes('release', world.node)).toMatchObject({ exit: 2, answer: { code: 'not-confirmed' } });
    expect(await enrolReplacement()).toContain('node-has-another-ek');
    // As if a release had been interrupted: the node's own Secret, which goes last, is enough to go on.
    await world.kube.delete(SECRETS, { name: bound[1] ?? '', namespace: NAMESPACE });
    expect(await enrolReplacement()).toContain('node-has-another-ek');
    expect(await nodes('release', world.node, '--yes')).toMatchObject({ exit: 0, answer: { ok: true } });
    for (const name of bound)
      expect(await world.kube.get(SECRETS, { name, namespace: NAMESPACE })).toBeUndefined();

    expect(await enrolReplacement()).toBe('enrolled');
    const spki = publicToSpki((await loadEndorsementKey(tpm)).public);
    if (!spki.ok) throw new Error(spki.message);
    const now = await attested();
    expect(now?.spec?.ekSha256).toBe(toHex(nodeCrypto.hash('sha256', spki.value)));
    expect(now?.status?.attestationKeys).toHaveLength(1);
    expect((await nodes('ls')).answer.nodes).toMatchObject([{ boundEkSha256: now?.spec?.ekSha256 }]);
  });

  test('users are revoked, shown and restored with the same rights', async () => {
    const users = async (...argv: string[]) => {
      const ran = await operator.run('admin', 'users', ...argv, '--kubeconfig', kubeconfig, '--json');
      return { exit: ran.exit, answer: JSON.parse(ran.out) as { code?: string; revoked?: unknown } };
    };
    expect(await users('ls')).toMatchObject({ exit: 0, answer: { revoked: [] } });
    expect(await users('revoke', 'Mallory')).toMatchObject({ exit: 2, answer: { code: 'user-invalid' } });
    for (const user of ['mallory', 'eve'])
      expect(await users('revoke', user, '--note', 'left')).toMatchObject({ exit: 0 });
    expect((await users('ls')).answer.revoked).toMatchObject([
      { user: 'eve', note: expect.stringMatching(/^revoked 20.*; left$/) },
      { user: 'mallory' },
    ]);
    expect(await users('restore', 'eve')).toMatchObject({ exit: 0 });
    expect(await users('restore', 'eve')).toMatchObject({ exit: 2, answer: { code: 'user-not-revoked' } });
    expect((await users('ls')).answer.revoked).toMatchObject([{ user: 'mallory' }]);
  });

  test('what the operator may not do, and a server that is not there, are said', async () => {
    const agent = await world.kube.get(PODS, { name: `enclave-agent-${world.node}`, namespace: NAMESPACE });
    if (agent === undefined) throw new Error('no agent');
    const token = await world.token(agent, 'https://kubernetes.default.svc.cluster.local');
    // Only the certificate service writes: an agent looks, and no more.
    const path = operator.file('agent.json', await kubeconfigOf({ token }));
    const asAgent = createKube(apiServerFromKubeconfig(path));
    const ref = { name: world.node };
    expect((await asAgent.list(ATTESTED_NODES)).items).not.toEqual([]);
    const writes = await Promise.allSettled([
      asAgent.patch(ATTESTED_NODES, ref, { metadata: { annotations: { a: 'b' } } }),
      asAgent.patch(ATTESTED_NODES, ref, { status: { attestationKeys: [] } }, 'merge', 'status'),
      asAgent.create(ATTESTED_NODES, { metadata: { name: 'another' } }),
      asAgent.delete(ATTESTED_NODES, ref),
      asAgent.get(SECRETS, { name: nodeSecret(world.node), namespace: NAMESPACE }),
    ]);
    expect(writes.map((each) => each.status === 'rejected' && each.reason.status)).toEqual(
      writes.map(() => 403),
    );
    asAgent.close();
    const tell = async (user: object, server?: string) => {
      const path = operator.file('config.json', await kubeconfigOf(user, server));
      return JSON.parse((await operator.run('admin', 'nodes', 'ls', '--kubeconfig', path, '--json')).out);
    };
    expect(await tell({ token })).toMatchObject({
      code: 'api-server-forbidden',
    });
    expect(await tell({ token: 'x' })).toMatchObject({
      code: 'api-server-unauthorized',
    });
    expect(await tell({ exec: { command: 'aws' } })).toMatchObject({
      code: 'wrong-use',
      message: expect.stringContaining('authentication plugins are not run'),
    });
    expect(await tell({ token }, 'https://127.0.0.1:1')).toMatchObject({
      code: 'api-server-unreachable',
    });
  });
});
