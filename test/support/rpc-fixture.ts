import { createHealth } from '../../platform/health/health.ts';
import { createRpcClient } from '../../platform/rpc/rpc-client.ts';
import { createRpcServer } from '../../platform/rpc/rpc-server.ts';
import type { Handlers } from '../../platform/rpc/service.ts';
import { liveValue } from '../../platform/run/live.ts';
import type { ServerTls } from '../../platform/tls/server-options.ts';
import { EnrolmentServiceService } from '../../proto/gen/enclave_licensing/enrolment/v1/enrolment_service.ts';
import { LicensingServiceService } from '../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import { recordingLogger } from './recording-logger.ts';
import { recordingMetrics } from './recording-metrics.ts';
import { createTestAuthority } from './test-authority.ts';

export const NAME = 'front.enclave-licensing.internal';
export const authority = createTestAuthority();
export const stranger = createTestAuthority('stranger');
export const undo: (() => unknown)[] = [];

export async function undoAll(): Promise<void> {
  for (const each of undo.splice(0).reverse()) await each();
}

const unused = async (): Promise<never> => {
  throw new Error('not used');
};
const licensing: Handlers<typeof LicensingServiceService> = {
  signUp: unused,
  login: unused,
  getEnclave: unused,
  listEnclaves: unused,
  stopEnclave: unused,
  issueUserCertificate: unused,
  revokeGrant: unused,
  issueEnclaveToken: unused,
  getTrustDocument: unused,
  launch: async function* () {},
};

/** A server of the public API with these handlers (and an enrolment service that echoes), and clients of it. */
export async function serveRpc(
  handlers: Partial<Handlers<typeof LicensingServiceService>>,
  mode: 'required' | 'requested' = 'requested',
  atPort = 0,
) {
  const { log, lines } = recordingLogger();
  const health = createHealth();
  const tls = liveValue<ServerTls>({
    credential: authority.issue({ dns: [NAME] }),
    clientCertificates: { mode, roots: [authority.root] },
  });
  const server = createRpcServer({
    tls,
    log,
    health,
    metrics: recordingMetrics(),
    maxRequestBytes: 64 * 1024,
  });
  server.add(LicensingServiceService, { ...licensing, ...handlers });
  server.add(EnrolmentServiceService, {
    enrol: async function* (requests) {
      for await (const { step } of requests)
        yield step?.$case === 'hello'
          ? {
              step: {
                $case: 'challenge' as const,
                value: { idObject: step.value.endorsementKeyPublic, encryptedSecret: Buffer.alloc(0) },
              },
            }
          : { step: undefined };
    },
  });
  const port = await server.listen('127.0.0.1', atPort);
  undo.push(() => server.close(1000));
  const clientOptions = {
    address: { host: '127.0.0.1', port },
    serverName: NAME,
    roots: liveValue<readonly Uint8Array[]>([authority.root]),
    maxResponseBytes: 1024 * 1024,
  };
  const client = (extra: object = {}) => {
    const made = createRpcClient(LicensingServiceService, { ...clientOptions, ...extra });
    undo.push(() => made.close());
    return made;
  };
  return { server, port, tls, health, lines, clientOptions, client };
}
