import { createServer } from 'node:https';
import { encodeBundle } from '../../formats/evidence/bundle.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { ENCLAVE_LABEL } from '../../names/labels.ts';
import { OID_EKU_CLIENT_AUTH, OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH, OID_EKU_USER } from '../../names/oids.ts';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import { SIGNERS } from '../../names/signers.ts';
import { EVIDENCE_ALPN, PORTS } from '../../names/wire.ts';
import { connectionCutter } from '../../platform/http/connection-cutter.ts';
import { createCredential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  type CertificateSigningRequest,
  PODS,
  type Pod,
} from '../../platform/kube/resources.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import { fixture } from './evidence.ts';
import { ENCLAVE_DOMAIN, ENCLAVES_NODE, type LauncherCluster } from './launcher-cluster.ts';

const ref = (pod: Pod) => ({ namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '' });

/** What kubelet, agent, certificate service and sidecar do for one launched pod, step by step. */
export class FakeEnclave {
  readonly #cluster: LauncherCluster;
  readonly pod: Pod;
  readonly address: string;
  #isScheduled = false;
  #server: ReturnType<typeof createServer> | undefined;
  #cut = (): void => {};

  constructor(cluster: LauncherCluster, pod: Pod, address: string) {
    this.#cluster = cluster;
    this.pod = pod;
    this.address = address;
  }

  async status(status: object): Promise<void> {
    await this.#cluster.admin.patch(PODS, ref(this.pod), { status }, 'merge', 'status');
  }

  /** Container states as a kubelet writes them. */
  async sidecar(state: object, more: object = {}): Promise<void> {
    await this.status({
      phase: 'Pending',
      podIP: this.address,
      initContainerStatuses: [container(SIDECAR_CONTAINER, { state, ...more })],
    });
  }

  async started(): Promise<void> {
    await this.#scheduled();
    await this.sidecar({ running: { startedAt: now() } }, { started: false });
  }

  async certified(): Promise<void> {
    const name = await this.request();
    await condition(this.#cluster, name, { type: 'Approved', reason: 'Test', message: 'evaluated' });
    const key = generateKey();
    const der = this.#cluster.authorities.enclaves.certify(key.spki, this.#fields());
    await certify(this.#cluster, name, der);
  }

  async #scheduled(): Promise<void> {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const target = { apiVersion: 'v1', kind: 'Node', name: ENCLAVES_NODE };
    await this.#cluster.admin.createSubresource<object>(PODS, ref(this.pod), 'binding', {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: this.pod.metadata?.name },
      target,
    });
  }

  /** The agent's request for this pod; its name. */
  async request(): Promise<string> {
    await this.#scheduled();
    const name = `enclave-${this.pod.metadata?.uid}-1`;
    await createRequest(this.#cluster, name, SIGNERS.enclaves, ['digital signature', 'server auth']);
    return name;
  }

  async denied(message: string): Promise<void> {
    await condition(this.#cluster, await this.request(), { type: 'Denied', reason: 'PcrMismatch', message });
  }

  async attested(): Promise<void> {
    await this.sidecar({ running: { startedAt: now() } }, { started: true, ready: true });
    await this.#serve();
  }

  async ready(): Promise<void> {
    await this.status({
      phase: 'Running',
      containerStatuses: [container('app', { state: { running: { startedAt: now() } }, started: true })],
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now() }],
    });
  }

  async all(): Promise<void> {
    await this.started();
    await this.certified();
    await this.attested();
    await this.ready();
  }

  #fields(podUid = this.pod.metadata?.uid ?? '') {
    const enclave = this.pod.metadata?.labels?.[ENCLAVE_LABEL] ?? '';
    return {
      dns: [`${enclave}.${ENCLAVE_DOMAIN}`],
      uri: ['spiffe://enclave-licensing.internal/ns/apps/sa/default'],
      extendedKeyUsage: [OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH],
      extensions: { enclaveBinding: { podUid, enclave, node: 'node-1', ownerKeySha256: 'ab'.repeat(32) } },
    };
  }

  async #serve(): Promise<void> {
    const key = generateKey();
    const der = this.#cluster.authorities.enclaves.certify(key.spki, this.#fields());
    const tls = serverTlsOptions({
      credential: createCredential(key.privateKey, [der]),
      alpn: [EVIDENCE_ALPN],
    });
    const server = createServer(tls, (request, response) => {
      const nonce = new URL(request.url ?? '', 'https://enclave').searchParams.get('nonce') ?? '';
      const bundle = {
        ...fixture().bundle,
        certificateChain: [der],
        statement: Buffer.from(nonce),
        endpoint: `${this.address}:${PORTS.sidecar}`,
      };
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end(encodeBundle(bundle));
    });
    this.#server = server;
    this.#cut = connectionCutter(server);
    await new Promise<void>((resolve) => server.listen(PORTS.sidecar, this.address, resolve));
  }

  stop(): void {
    this.#server?.close();
    this.#cut();
  }
}

export const now = (): string => new Date().toISOString().replace(/\.\d+Z/, 'Z');

export function container(name: string, change: object): object {
  return { name, image: 'image', imageID: '', ready: false, restartCount: 0, ...change };
}

async function createRequest(
  { agentKube }: LauncherCluster,
  name: string,
  signerName: string,
  usages: string[],
): Promise<void> {
  const key = generateKey();
  const request = encodePem(
    'CERTIFICATE REQUEST',
    buildCertificateRequest({ spki: key.spki }, key.sign, key.scheme),
  );
  await agentKube.create(CERTIFICATE_SIGNING_REQUESTS, {
    metadata: { name },
    spec: { signerName, usages, request: Buffer.from(request).toString('base64') },
  });
}

async function condition(
  { admin }: LauncherCluster,
  name: string,
  { type, reason, message }: { type: string; reason: string; message: string },
): Promise<void> {
  const object = await admin.get(CERTIFICATE_SIGNING_REQUESTS, { name });
  if (object === undefined) return;
  const conditions = [{ type, status: 'True', reason, message }];
  await admin.replace(CERTIFICATE_SIGNING_REQUESTS, { ...object, status: { conditions } }, 'approval');
}

async function certify({ admin }: LauncherCluster, name: string, der: Uint8Array): Promise<void> {
  const object = await admin.get(CERTIFICATE_SIGNING_REQUESTS, { name });
  if (object === undefined) return;
  const certificate = Buffer.from(encodePem('CERTIFICATE', der)).toString('base64');
  await admin.replace(
    CERTIFICATE_SIGNING_REQUESTS,
    { ...object, status: { ...object.status, certificate } },
    'status',
  );
}

/** Signs users' requests as the certificate service does, and denies those of the user `denied`. */
export async function judgeUserRequest(
  cluster: LauncherCluster,
  object: CertificateSigningRequest,
): Promise<void> {
  const name = object.metadata?.name ?? '';
  if (object.spec.signerName !== SIGNERS.users || object.status?.conditions) return;
  if (object.metadata?.annotations?.['enclave-licensing.dev/user'] === 'denied')
    return condition(cluster, name, {
      type: 'Denied',
      reason: 'NotTheOwner',
      message: 'the key owns nothing',
    });
  await condition(cluster, name, { type: 'Approved', reason: 'Test', message: 'evaluated' });
  const der = cluster.authorities.users.certify(generateKey().spki, {
    extendedKeyUsage: [OID_EKU_USER, OID_EKU_CLIENT_AUTH],
    extensions: { subjectAltName: undefined },
  });
  await certify(cluster, name, der);
}
