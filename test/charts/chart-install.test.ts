/** helm and the chart against a real kube-apiserver: installed, upgraded, taken away. (It runs no controller, so nothing is waited for.) */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ISSUER_SECRET_TYPE, issuerSecret } from '../../names/certs-state.ts';
import { type CommandResult, command } from '../../tools/cluster/command.ts';
import { packageChart } from '../../tools/package-chart.ts';
import { type ApiClient, type ApiServerUnderTest, apiClient } from '../contract/api-client.ts';
import { apiServerUnderTest, isRealApiServer } from '../support/api-server-under-test.ts';
import { helmPath } from '../support/helm.ts';
import { kubectlPath } from '../support/kubectl-path.ts';
import { CHART, type Rendered, render, SIDECAR_DIGEST } from './render.ts';

const directory = mkdtempSync(join(tmpdir(), 'chart-install-'));
const values = join(directory, 'values.json');
writeFileSync(values, JSON.stringify({ images: { digests: { sidecar: SIDECAR_DIGEST } } }));
let server: ApiServerUnderTest | undefined;
afterAll(async () => {
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function helm(...args: string[]): Promise<CommandResult> {
  const env = { HOME: directory, ...(server && { KUBECONFIG: server.kubeconfig }) };
  return command(await helmPath(), args, { env });
}

/** @returns what helm printed, NOTES among it */
async function mustHelm(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await helm(...args);
  if (code !== 0) throw new Error(`helm ${args.join(' ')}: exit ${code}\n${stderr}`);
  return stdout;
}

test('helm lint finds nothing', async () => {
  const said = await mustHelm('lint', CHART, '-f', values, '--strict');
  expect(said).toContain('0 chart(s) failed');
});

/** A copy of the chart whose CRD lacks one property, as an older release's would. */
function olderChart(): string {
  const chart = join(directory, 'older');
  cpSync(CHART, chart, { recursive: true });
  const file = join(chart, 'files/crds.yaml');
  const text = readFileSync(file, 'utf8');
  const older = text.replace('- { name: TPM, type: string, jsonPath: .spec.tpmTrust }\n', '\n');
  expect(older).not.toBe(text);
  writeFileSync(file, older);
  return chart;
}

function onTheRealOne(): void {
  const NAMESPACE = 'tenant-7';
  const RELEASE = ['licensing', CHART, '-n', NAMESPACE, '-f', values];
  const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const HOOKS = '/apis/admissionregistration.k8s.io/v1';
  let admin: ApiClient;
  const get = async (path: string): Promise<Readonly<Record<string, unknown>>> => {
    const { status, body } = await admin.get(path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  };
  const names = async (path: string): Promise<string[]> =>
    ((await get(path))['items'] as Rendered[]).map(({ metadata }) => metadata.name);
  beforeAll(async () => {
    server = await apiServerUnderTest();
    admin = apiClient(server, await server.issueClient('admin', ['system:masters']));
    // Somebody else's, which the chart must not touch.
    const foreign = (await render()).find(({ metadata }) => metadata.name === 'tcsissuers.tcs.intel.com');
    const { annotations: _, ...metadata } = foreign?.metadata ?? { name: '' };
    const { status } = await admin.post(CRDS, { ...foreign, metadata });
    expect(status).toBe(201);
  });

  test('installs with no value but the sidecar’s digest; NOTES say what the cluster lacks and the next three commands', async () => {
    const notes = await mustHelm(
      'install',
      'licensing',
      olderChart(),
      ...RELEASE.slice(2),
      '--create-namespace',
    );
    expect(notes).toContain('THIS CLUSTER CANNOT RUN ENCLAVES AS IT IS');
    expect(notes).toContain('No node has the labels');
    expect(notes).toContain('tcsissuers.tcs.intel.com is not this release');
    expect(notes).toContain('installed without helm');
    for (const next of ['kubectl wait', 'helm test', 'kubectl get configmap']) expect(notes).toContain(next);
  });

  describe('what NOTES say of TPMs before any agent has run', () => {
    const node = (name: string, labels: object, architecture = 'amd64') =>
      admin.post('/api/v1/nodes', {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, labels: { 'kubernetes.io/os': 'linux', ...labels } },
        status: { nodeInfo: { kubeletVersion: 'v1.33.1', architecture } },
      });
    const notesOf = (...how: string[]): Promise<string> =>
      mustHelm('upgrade', ...RELEASE, '--dry-run=server', ...how);
    const NFD = { 'feature.node.kubernetes.io/custom-tpm': 'false' };
    afterAll(async () => {
      for (const name of ['node-1', 'node-2', 'node-3']) await admin.delete(`/api/v1/nodes/${name}`);
    });

    test('nodes whose labels say that they have none are named; when all do, no enclave can run', async () => {
      await node('node-1', NFD);
      await node('node-2', { 'eks.amazonaws.com/compute-type': 'fargate' });
      const all = await notesOf();
      expect(all).toContain('THIS CLUSTER CANNOT RUN ENCLAVES AS IT IS');
      expect(all).toContain(
        'has a TPM, by its labels: node-1 (feature.node.kubernetes.io/custom-tpm=false), node-2 (eks.amazonaws.com/compute-type=fargate)',
      );
      // Emulated TPMs are none of the machine's.
      expect(await notesOf('--set=tpm.socketDirectory=/run/swtpm')).not.toContain('by its labels');
      await node('node-3', {});
      const some = await notesOf();
      expect(some).not.toContain('No node that an agent may run on has a TPM');
      expect(some).toContain(
        'Agents run on 3 nodes: node-1, node-2, node-3. Without a TPM, by their labels: node-1',
      );
    });

    test('of the others it says that only agents know, and the command that tells', async () => {
      const notes = await notesOf('--set=agent.nodeSelector.kubernetes\\.io/arch=amd64');
      expect(notes).toContain('No node has the labels');
      expect(await notesOf()).toMatch(/only the agents find out[\s\S]+helm test licensing -n tenant-7/);
    });

    test('processors for which no image is built are named', async () => {
      await admin.delete('/api/v1/nodes/node-3');
      await node('node-3', {}, 's390x');
      expect(await notesOf()).toContain(
        'No image is built for the processors of these nodes: node-3 (s390x)',
      );
    });

    test('a dry run that asks no cluster claims nothing of it', async () => {
      const notes = await mustHelm('upgrade', ...RELEASE, '--dry-run=client', '--set=crds.install=false');
      expect(notes).toContain('helm test licensing');
      expect(notes).not.toContain('THIS CLUSTER CANNOT RUN');
      expect(notes).not.toContain('Agents run on');
    });
  });

  // As it would be with two replicas, from the release with one that is installed.
  test('the API server takes each object, and knows each of its fields', async () => {
    const items = (
      await render({
        namespace: NAMESPACE,
        values: {
          ha: true,
          front: {
            publicNames: ['licensing.example'],
            service: { type: 'LoadBalancer' },
            ingress: { enabled: true },
            database: { url: 'postgres://front:secret@db/front' },
          },
        },
      })
    ).filter(({ kind }) => kind !== 'Pod');
    const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    const { code, stderr } = await command(
      await kubectlPath(),
      ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict', '-f', '-'],
      { env: { HOME: directory, KUBECONFIG: server?.kubeconfig ?? '' }, input: text },
    );
    expect(stderr).not.toMatch(/error|unknown field/i);
    expect(code).toBe(0);
    expect(await names(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments`)).toHaveLength(4);
  });

  test('the real Pod Security admission takes every pod but the agent’s for restricted', async () => {
    await admin.patch(`/api/v1/namespaces/${NAMESPACE}`, 'merge', {
      metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    });
    const verdicts: Record<string, number> = {};
    for (const { kind, metadata, spec } of await render({ namespace: NAMESPACE })) {
      if (kind !== 'Deployment' && kind !== 'DaemonSet') continue;
      const { template } = spec as { template: { spec: object } };
      const { status } = await admin.post(`/api/v1/namespaces/${NAMESPACE}/pods?dryRun=All`, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: metadata.name },
        spec: template.spec,
      });
      verdicts[metadata.name] = status;
    }
    const [accepted, forbidden] = [201, 403];
    expect(verdicts).toEqual({
      'enclave-agent': forbidden,
      'enclave-certs': accepted,
      'enclave-front': accepted,
      'enclave-launcher': accepted,
      'enclave-webhook': accepted,
    });
  });

  test('an upgrade brings the CRDs up to date, keeps what they hold and what the certificate service wrote, and remembers the sidecar', async () => {
    const crd = `${CRDS}/attestednodes.enclave-licensing.dev`;
    const columns = async (): Promise<string> => JSON.stringify((await get(crd))['spec']);
    expect(await columns()).not.toContain('"TPM"');
    const profiles = '/apis/enclave-licensing.dev/v1alpha1/namespaces/enclaves/enclaveprofiles';
    const profile = {
      apiVersion: 'enclave-licensing.dev/v1alpha1',
      kind: 'EnclaveProfile',
      metadata: { name: 'hello' },
      spec: { image: `registry.example/app@${SIDECAR_DIGEST}`, upstream: '8080' },
    };
    const made = await admin.post(profiles, profile);
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const hook = `${HOOKS}/mutatingwebhookconfigurations/enclave-licensing`;
    const bundle = Buffer.from(server?.caPem ?? '').toString('base64');
    await admin.patch(hook, 'json', [
      { op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: bundle },
    ]);

    const next = `sha256:${'7d'.repeat(32)}`;
    const notes = await mustHelm('upgrade', ...RELEASE, '--set', `images.digests.sidecar=${next}`);
    expect(notes).toContain('enforces the Pod Security Standard restricted');
    expect(notes).toContain('No node’s TPM has enrolled'.replace('’', "'"));
    expect(await columns()).toContain('"TPM"');
    expect(await names(profiles)).toEqual(['hello']);
    expect(JSON.stringify(await get(hook))).toContain(bundle);
    const agent = JSON.stringify(await get(`/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets/enclave-agent`));
    expect(agent).toMatch(new RegExp(`--sidecar-images=[^"]*${next},[^"]*${SIDECAR_DIGEST}`));
  });

  test('a packaged chart is upgraded as docs/operating.md says: its images change, what the operator had set stays', async () => {
    const packaged = async (name: string, byte: string): Promise<string> => {
      const digest = `sha256:${byte.repeat(32)}`;
      const images = join(directory, `${name}.yaml`);
      writeFileSync(
        images,
        stringify({
          images: { registry: 'registry.example', tag: name, digests: { sidecar: digest, front: digest } },
        }),
      );
      return packageChart(images, join(directory, name));
    };
    const front = async (): Promise<string> =>
      JSON.stringify(await get(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments/enclave-front`));
    const upgrade = async (chart: string, ...how: string[]): Promise<unknown> =>
      mustHelm('upgrade', 'licensing', chart, '-n', NAMESPACE, ...how);
    await upgrade(await packaged('one', '1a'), '--reset-values', '--set', 'front.seats=7');
    expect(await front()).toContain('1a1a1a');
    await upgrade(await packaged('two', '2b'), '--reset-then-reuse-values');
    expect(await front()).toContain('2b2b2b');
    expect(await front()).toContain('--seats=7');
  });

  test('to two replicas on PostgreSQL and back: the claim of the SQLite file waits, and is taken up again', async () => {
    const claim = `/api/v1/namespaces/${NAMESPACE}/persistentvolumeclaims/enclave-front`;
    const uid = async (): Promise<unknown> => ((await get(claim))['metadata'] as { uid?: string }).uid;
    const front = async (): Promise<string> =>
      JSON.stringify(await get(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments/enclave-front`));
    const before = await uid();
    await mustHelm('upgrade', ...RELEASE, '--set=ha=true,front.database.existingSecret=mine');
    expect(await front()).toContain('--database-url-file=');
    expect(await uid()).toBe(before);
    // `helm rollback` refuses to take up what it was told to keep.
    await mustHelm('upgrade', ...RELEASE, '--reset-values');
    expect(await front()).toContain('--database=/');
    expect(await uid()).toBe(before);
  });

  test('when it goes, no webhook is left, and what it said would stay stays', async () => {
    await mustHelm('uninstall', 'licensing', '-n', NAMESPACE);
    for (const kind of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'])
      expect(await names(`${HOOKS}/${kind}`)).toEqual([]);
    expect((await names(CRDS)).filter((name) => /enclave-licensing|tcs\.intel/.test(name))).toHaveLength(5);
    expect(await names(`/api/v1/namespaces/${NAMESPACE}/persistentvolumeclaims`)).toEqual(['enclave-front']);
    expect(await names('/api/v1/namespaces')).toContain('enclaves');
    expect(await names('/apis/rbac.authorization.k8s.io/v1/clusterroles')).not.toContain('enclave-certs');
    // And a new release takes them up, an authority among them, and says so.
    const again = ['install', ...RELEASE, '--dry-run=server'];
    expect(await mustHelm(...again)).not.toContain('an authority that was here before');
    await admin.post(`/api/v1/namespaces/${NAMESPACE}/secrets`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: issuerSecret('system') },
      type: ISSUER_SECRET_TYPE,
    });
    expect(await mustHelm(...again)).toContain('an authority that was here before');
    const notes = await mustHelm('install', ...RELEASE);
    expect(notes).not.toContain('attestednodes.enclave-licensing.dev is not this release');
  });
}

if (isRealApiServer) describe('on kube-apiserver', onTheRealOne);
