import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { launchedPod } from '../../injection/launched-pod.ts';
import { injectedPod } from '../../injection/spec-sha256.ts';
import { ENCLAVE_LABEL } from '../../names/labels.ts';
import { SIDECAR_CONTAINER, TOKEN_VOLUME } from '../../names/sidecar.ts';
import { SIGNERS } from '../../names/signers.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { CERTIFICATE_SIGNING_REQUESTS, PODS } from '../../platform/kube/resources.ts';
import type { KubeObject } from '../../platform/kube/wire.ts';
import { launcherBinding } from '../../tools/cluster/launcher-binding.ts';
import { APP_IMAGE, CONFIG, OWNER_KEY } from '../injection/support.ts';
import { until } from '../support/until.ts';
import { ensure, RELEASE, startTestCluster, type TestCluster } from './cluster.ts';

/** What the accounts of launcher and certificate service may do with pods and certificate requests, which RBAC cannot tell apart. */
let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
  await ensure(
    cluster.admin,
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      plural: 'rolebindings',
      namespaced: true,
    },
    launcherBinding('team', RELEASE) as KubeObject,
  );
});
afterAll(() => cluster?.close());

/** `done`, or what the API server says. */
const answer = (doing: Promise<unknown>): Promise<string> =>
  doing.then(
    () => 'done',
    (error: Error) => error.message,
  );
const launch = (kube: Kube, pod: object): Promise<string> => answer(kube.create(PODS, inTeam(pod)));
function inTeam(pod: object): KubeObject {
  const { metadata, ...rest } = pod as KubeObject;
  return { ...rest, metadata: { ...metadata, namespace: 'team' } };
}

interface LoosePod {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly containers: readonly object[];
    readonly initContainers: readonly { readonly name: string }[];
    readonly volumes: readonly { readonly name: string }[];
  };
}
/** A pod as the launcher writes it, and as the webhook leaves it. */
function launched(enclave: string, upstream = '8080'): LoosePod {
  const profile = { image: APP_IMAGE, upstream, env: [{ name: 'A', value: 'b' }] };
  const pod = launchedPod(profile, { enclave, ownerKeySha256: OWNER_KEY, namespace: 'team' });
  const made = injectedPod(pod, CONFIG);
  if (!made.ok) throw new Error(made.message);
  return JSON.parse(JSON.stringify(made.value)) as LoosePod;
}
const withSpec = (more: object): object => {
  const pod = launched('eabc');
  return { ...pod, spec: { ...pod.spec, ...more } };
};
const withApp = (more: object): object =>
  withSpec({ containers: launched('eabc').spec.containers.map((app) => ({ ...app, ...more })) });
const withVolume = (more: object): object =>
  withSpec({ volumes: [...launched('eabc').spec.volumes, { name: 'more', ...more }] });

const certificateRequest = (): string => {
  const { spki, sign, scheme } = generateKey();
  const pem = encodePem('CERTIFICATE REQUEST', buildCertificateRequest({ spki }, sign, scheme));
  return Buffer.from(pem).toString('base64');
};

const REAL = process.env['ENCLAVE_TEST_KUBERNETES_BIN'] !== undefined;

// The devcluster stores policies and runs none.
if (!REAL)
  test('roles alone: the launcher creates pods where it is bound, and nowhere else', async () => {
    const kube = await cluster.as('enclave-launcher');
    expect(await launch(kube, launched('eabc'))).toBe('done');
    const { metadata, ...rest } = launched('eabd') as unknown as KubeObject;
    const elsewhere = { ...rest, metadata: { ...metadata, namespace: RELEASE } };
    expect(await answer(kube.create(PODS, elsewhere))).toMatch(/forbidden|cannot create/i);
  });
else
  describe('what RBAC cannot limit by signer, label or field', () => {
    test('launcher and certificate service touch requests of our signers, and no kubelet’s', async () => {
      const says = /certificate requests of our signers alone/;
      const ask = (name: string, signerName: string, usages: string[]) =>
        cluster.admin.create(CERTIFICATE_SIGNING_REQUESTS, {
          metadata: { name },
          spec: { signerName, request: certificateRequest(), usages },
        });
      const remove = (kube: Kube, name: string) =>
        answer(kube.delete(CERTIFICATE_SIGNING_REQUESTS, { name }));
      const client = ['digital signature', 'client auth'];
      const others = ['kubernetes.io/kube-apiserver-client', 'tcsclusterissuer.tcs.intel.com/another'];
      for (const account of ['enclave-launcher', 'enclave-certs']) {
        const kube = await cluster.as(account);
        for (const [index, signer] of others.entries()) {
          const name = `theirs-${account}-${index}`;
          const again = async () => {
            await ask(name, signer, client).catch(() => undefined);
            return says.test(await remove(kube, name));
          };
          await until(`${account} may not delete ${signer}`, again);
        }
        for (const [issuer, signer] of Object.entries(SIGNERS)) {
          await ask(`${account}-${issuer}`, signer, client);
          expect(await remove(kube, `${account}-${issuer}`), signer).toBe('done');
        }
      }
      // A write of a status brings metadata along. (An approval is asked for the signer's right by Kubernetes itself.)
      const kube = await cluster.as('enclave-certs');
      const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'a'.repeat(36) };
      const write = async (signer: string) => {
        const made = await ask(`written-${signer.replace(/.*\//, '')}`, signer, client);
        const metadata = { ...made.metadata, ownerReferences: [owner] };
        return answer(kube.replace(CERTIFICATE_SIGNING_REQUESTS, { ...made, metadata }, 'status'));
      };
      for (const signer of others) expect(await write(signer)).toMatch(says);
      expect(await write(SIGNERS.enclaves)).toBe('done');
    });

    test('the launcher creates and deletes launched enclaves, and no other pods', async () => {
      const kube = await cluster.as('enclave-launcher');
      const label = /creates and deletes launched enclaves, and no other pods/;
      const reach = /neither tokens nor volumes nor Secrets/;
      const rights = /runs with the rights of the restricted Pod Security Standard/;
      const host = {
        metadata: { name: 'host' },
        spec: {
          hostPID: true,
          containers: [{ name: 'x', image: 'x', securityContext: { privileged: true } }],
          volumes: [{ name: 'h', hostPath: { path: '/' } }],
        },
      };
      await until('the policy is in force', async () => {
        const said = await launch(kube, host);
        if (said === 'done') await cluster.admin.delete(PODS, { name: 'host', namespace: 'team' });
        return label.test(said);
      });
      const { metadata, spec } = launched('eabc');
      const { [ENCLAVE_LABEL]: _, ...labels } = metadata.labels;
      const ours = spec.volumes.find(({ name }) => name === TOKEN_VOLUME);
      const secret = { projected: { sources: [{ secret: { name: 's' } }] } };
      const ofSecret = { secretKeyRef: { name: 's', key: 'k' } };
      for (const [what, pod, says] of [
        ['no label of an enclave', { spec, metadata: { ...metadata, labels } }, label],
        ['its account’s token', withSpec({ automountServiceAccountToken: true }), reach],
        ['its account’s token by default', withSpec({ automountServiceAccountToken: undefined }), reach],
        ['the node’s files', withVolume({ hostPath: { path: '/' } }), reach],
        ['a Secret’s files', withVolume({ secret: { secretName: 's' } }), reach],
        ['a claim', withVolume({ persistentVolumeClaim: { claimName: 'c' } }), reach],
        ['a token', withVolume({ projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }), reach],
        ['a Secret in our volume', withSpec({ volumes: [{ ...ours, ...secret }] }), reach],
        ['a Secret in a variable', withApp({ env: [{ name: 'A', valueFrom: ofSecret }] }), reach],
        ['a Secret as variables', withApp({ envFrom: [{ secretRef: { name: 's' } }] }), reach],
        ['privilege', withApp({ securityContext: { privileged: true } }), rights],
        ['a way to privilege', withApp({ securityContext: { capabilities: { drop: ['ALL'] } } }), rights],
        ['capabilities', withApp({ securityContext: { allowPrivilegeEscalation: false } }), rights],
        ['root', withSpec({ securityContext: { seccompProfile: { type: 'RuntimeDefault' } } }), rights],
        ['every system call', withSpec({ securityContext: { runAsNonRoot: true } }), rights],
        [
          'another init container',
          withSpec({ initContainers: [...spec.initContainers, { name: 'x', image: 'x' }] }),
          rights,
        ],
        ...[
          { runAsNonRoot: false },
          { seccompProfile: { type: 'Unconfined' } },
          { capabilities: { drop: ['ALL'], add: ['NET_RAW'] } },
        ].map((more) => {
          const own = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, ...more };
          return [JSON.stringify(more), withApp({ securityContext: own }), rights] as const;
        }),
      ] as const)
        expect(await launch(kube, pod), what).toMatch(says);
      // The sidecar reads fields of its own pod.
      expect(spec.initContainers.map(({ name }) => name)).toEqual([SIDECAR_CONTAINER]);
      expect(await launch(kube, launched('eabc'))).toBe('done');
      expect(await launch(kube, launched('eabd', 'unix:/run/app/app.sock'))).toBe('done');

      const containers = [{ name: 'x', image: 'x' }];
      await cluster.admin.create(PODS, {
        metadata: { name: 'theirs', namespace: 'team' },
        spec: { containers },
      } as KubeObject);
      await expect(kube.delete(PODS, { name: 'theirs', namespace: 'team' })).rejects.toThrow(label);
      expect(await kube.delete(PODS, { name: 'eabc', namespace: 'team' })).toBe(true);
    });
  });
