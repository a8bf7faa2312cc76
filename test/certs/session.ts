import { randomBytes } from 'node:crypto';
import { parseRoots, type Roots } from '../../formats/evidence/roots.ts';
import { acceptTrustDocument, type TrustDocument } from '../../formats/evidence/trust-document.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../names/components.ts';
import { SIGNERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { type Credential, createCredential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { CertificateDenied, requestCertificate } from '../../platform/identity/request-certificate.ts';
import { CONFIG_MAPS } from '../../platform/kube/resources.ts';
import { createRpcClient, type RpcClient } from '../../platform/rpc/rpc-client.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { liveValue } from '../../platform/run/live.ts';
import { TrustServiceService } from '../../proto/gen/enclave_licensing/trust/v1/trust_service.ts';
import { CERTS_ADDRESS, RELEASE, type RunningService, startCerts, type TestCluster } from './cluster.ts';

export const patience = (): AbortSignal => AbortSignal.timeout(10_000);
export const seconds = (): number => Math.floor(Date.now() / 1000);

type TrustClient = RpcClient<typeof TrustServiceService>;
interface AgentPod {
  readonly name: string;
}

/** A running certificate service, and what its callers do. */
export interface Session {
  readonly roots: Roots;
  readonly service: RunningService;
  restart(whileDown: () => Promise<void>): Promise<void>;
  clientOptions(): Omit<Parameters<typeof createRpcClient>[1], 'credential'>;
  credentialOf(account: string, pod?: AgentPod): Promise<Credential>;
  trustClient(account: string, pod?: AgentPod): Promise<TrustClient>;
  anonymousTrustClient(): TrustClient;
  /** The first document above the version. */
  document(client: TrustClient, version?: number): Promise<TrustDocument>;
  stop(): Promise<void>;
}

/** The code of a refusal over gRPC or in a CSR's condition; `ok` when there is none. */
export const refusalOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'ok',
    (error: unknown) => {
      if (error instanceof RpcRefusal) return error.code;
      if (error instanceof CertificateDenied) return error.reason;
      throw error;
    },
  );

export async function openSession(cluster: TestCluster): Promise<Session> {
  let service = await startCerts(cluster);
  const undo: (() => unknown)[] = [];
  const map = await cluster.admin.get(CONFIG_MAPS, { name: ROOTS_CONFIG_MAP, namespace: RELEASE });
  const parsed = parseRoots(map?.data?.[ROOTS_KEY] ?? '');
  if (!parsed.ok) throw new Error(parsed.message);
  const roots = parsed.value;

  const clientOptions: Session['clientOptions'] = () => ({
    address: { host: CERTS_ADDRESS, port: service.port },
    serverName: 'enclave-certs.enclave-licensing.svc',
    roots: liveValue(roots.system),
    maxResponseBytes: 512 * 1024,
  });
  const credentialOf: Session['credentialOf'] = async (account, pod) => {
    const key = generateKey();
    const kube = await cluster.as(account, pod);
    const request = buildCertificateRequest({ spki: key.spki }, key.sign, key.scheme);
    const name = `component-${account}-${randomBytes(5).toString('hex')}`;
    const usages = ['digital signature', 'server auth', 'client auth'];
    const wanted = { name, signerName: SIGNERS.system, usages, request };
    return createCredential(key.privateKey, await requestCertificate(kube, wanted, patience()));
  };
  const connect = (credential?: Credential): TrustClient => {
    const client = createRpcClient(TrustServiceService, {
      ...clientOptions(),
      ...(credential && { credential: liveValue(credential) }),
    });
    undo.push(() => client.close());
    return client;
  };
  return {
    roots,
    get service() {
      return service;
    },
    restart: async (whileDown) => {
      await service.stop();
      await whileDown();
      service = await startCerts(cluster);
    },
    clientOptions,
    credentialOf,
    trustClient: async (account, pod) => connect(await credentialOf(account, pod)),
    anonymousTrustClient: () => connect(),
    document: async (client, version = 0) => {
      const call = client.watch({ version: BigInt(version) }, { signal: patience() });
      for await (const { trustDocument } of call) {
        if (trustDocument === undefined) break;
        const accepted = acceptTrustDocument(nodeCrypto, trustDocument, { roots, version });
        if (!accepted.ok) throw new Error(accepted.message);
        return accepted.value;
      }
      throw new Error('no document');
    },
    stop: async () => {
      for (const each of undo.splice(0).reverse()) await each();
      await service.stop();
    },
  };
}
