import { randomBytes } from 'node:crypto';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { launcherMetrics } from '../../licensing/launcher/launcher-metrics.ts';
import { launcherHandlers } from '../../licensing/launcher/launcher-service.ts';
import { ClusterView } from '../../licensing/launcher/pods/cluster-view.ts';
import { EnclaveLocks } from '../../licensing/launcher/pods/enclave-locks.ts';
import { PORTS } from '../../names/wire.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { CERTIFICATE_SIGNING_REQUESTS, PODS } from '../../platform/kube/resources.ts';
import { createRpcClient } from '../../platform/rpc/rpc-client.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { createRpcServer } from '../../platform/rpc/rpc-server.ts';
import { systemClock } from '../../platform/run/clock.ts';
import { liveValue } from '../../platform/run/live.ts';
import { componentPeer } from '../../platform/tls/component-peer.ts';
import { LauncherServiceService } from '../../proto/gen/enclave_licensing/launcher/v1/launcher_service.ts';
import type { RevokeRequest } from '../../proto/gen/enclave_licensing/trust/v1/trust.ts';
import { FakeEnclave, judgeUserRequest } from './fake-enclave.ts';
import { LAUNCHER_NAME } from './fake-launcher.ts';
import {
  APP_IMAGE,
  ENCLAVE_DOMAIN,
  PROFILES,
  RELEASE,
  SIDECAR_IMAGE,
  startLauncherCluster,
} from './launcher-cluster.ts';
import { loopbackAddress } from './loopback-block.ts';
import { recordingLogger } from './recording-logger.ts';
import { recordingMetrics } from './recording-metrics.ts';
import { createTestAuthority } from './test-authority.ts';
import { until } from './until.ts';

/** What the release before injected. */
export const FORMER_SIDECAR_IMAGE = `registry.example/enclave-sidecar@sha256:${'4'.repeat(64)}`;

/** A launcher over gRPC, on an API server whose nodes are this test. */
export async function startLauncherFixture() {
  const cluster = await startLauncherCluster();
  const { admin, namespace } = cluster;
  const authority = createTestAuthority();
  const { log, lines } = recordingLogger();
  const enclaves: FakeEnclave[] = [];
  /** What the certificate service was asked to revoke; it takes the first and refuses the others. */
  const revoked: RevokeRequest['subject'][] = [];
  /** Where users reach enclaves, when a test says so. */
  const exposed: { at: string | undefined } = { at: undefined };
  const over = new AbortController();

  // What kubelets and the certificate service do by themselves.
  admin.watch(PODS, {
    namespace,
    signal: over.signal,
    onUpdate: ({ metadata }) => {
      const { deletionTimestamp, name, uid } = metadata ?? {};
      if (deletionTimestamp === undefined || name === undefined || uid === undefined) return;
      // That pod, and not its successor of the same name.
      void admin.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0, uid }).catch(() => undefined);
    },
  });
  admin.watch(CERTIFICATE_SIGNING_REQUESTS, {
    signal: over.signal,
    onAdd: (object) => void judgeUserRequest(cluster, object).catch(() => undefined),
  });

  const launchers = [await serve()];
  async function serve() {
    const ended = new AbortController();
    const { kube, die } = mortal(cluster.launcherKube);
    const server = createRpcServer({
      tls: liveValue({
        credential: authority.issue({ dns: [LAUNCHER_NAME] }),
        clientCertificates: { mode: 'required' as const, roots: [authority.root] },
      }),
      log,
      metrics: recordingMetrics(),
      maxRequestBytes: 65_536,
    });
    const world = {
      kube,
      view: new ClusterView(kube, [namespace], log, ended.signal),
      locks: new EnclaveLocks(),
      releaseNamespace: RELEASE,
      namespaces: [namespace],
      sidecarImage: SIDECAR_IMAGE,
      formerSidecarImages: [FORMER_SIDECAR_IMAGE],
      enclaveDomain: ENCLAVE_DOMAIN,
      get publicEndpoint() {
        return exposed.at;
      },
      requireIsolation: true,
      localAddress: '127.0.0.1',
      sidecarPort: PORTS.sidecar,
      launchTimeoutMs: 20_000,
      clock: systemClock,
      log,
      metrics: launcherMetrics(recordingMetrics()),
      trustService: {
        revoke: async ({ subject }: RevokeRequest) => {
          revoked.push(subject);
          if (revoked.length > 1)
            throw new RpcRefusal('NOT_FOUND', { code: 'revocation-foreign', message: 'no', remedy: 'wait' });
          return { version: 9n };
        },
      },
      roots: () => cluster.roots,
      acceptsRoots: (text: string) => text === rootsToJson(cluster.roots),
    };
    server.add(
      LauncherServiceService,
      launcherHandlers(world, (der) => {
        const peer = componentPeer(der);
        return peer.ok && peer.value.component === 'front' ? undefined : 'not front';
      }),
    );
    const port = await server.listen('127.0.0.1', 0);
    const stop = async (): Promise<void> => {
      ended.abort();
      await server.close(0);
    };
    /** As a SIGKILL does: connections end, and nothing more is asked of the API server, whatever was under way. */
    const kill = async (): Promise<void> => {
      die();
      await stop();
    };
    return { port, stop, kill };
  }

  return {
    ...cluster,
    lines,
    revoked,
    exposed,
    /** Another launcher over the same cluster, which shares no memory with the first. */
    async replica(): Promise<{ readonly index: number; kill(): Promise<void> }> {
      const { kill } = launchers[launchers.push(await serve()) - 1] ?? {};
      if (kill === undefined) throw new Error('no replica');
      return { index: launchers.length - 1, kill };
    },
    client(component = 'front', replica = 0) {
      const client = createRpcClient(LauncherServiceService, {
        address: { host: '127.0.0.1', port: launchers[replica]?.port ?? 0 },
        serverName: LAUNCHER_NAME,
        roots: liveValue<readonly Uint8Array[]>([authority.root]),
        credential: liveValue(authority.issue({ dns: [`${component}.enclave-licensing.internal`] })),
        maxResponseBytes: 1 << 20,
      });
      over.signal.addEventListener('abort', () => client.close());
      return client;
    },
    async profile(name: string, change: object = {}): Promise<void> {
      const spec = { image: APP_IMAGE, upstream: 'unix:/run/enclave/app.sock', ...change };
      await admin.create(PROFILES, { metadata: { name, namespace }, spec });
    },
    /** The pod of this enclave, as soon as it is there, and what plays its node. */
    async enclave(id: string): Promise<FakeEnclave> {
      const ref = { namespace, name: id };
      // The API server may be away for a moment, and kept connections broken.
      const pod = await until(`pod ${id}`, () => admin.get(PODS, ref).catch(() => undefined));
      const made = new FakeEnclave(cluster, pod, loopbackAddress());
      enclaves.push(made);
      return made;
    },
    /** Names of what is left in the cluster. */
    async left(): Promise<{ pods: string[]; requests: string[] }> {
      const pods = await admin.list(PODS, { namespace });
      const requests = await admin.list(CERTIFICATE_SIGNING_REQUESTS);
      const names = (items: readonly { metadata?: { name?: string } }[]) =>
        items.map((each) => each.metadata?.name ?? '');
      return { pods: names(pods.items), requests: names(requests.items) };
    },
    async close(): Promise<void> {
      over.abort();
      for (const each of enclaves) each.stop();
      await Promise.all(launchers.map(({ stop }) => stop()));
      await cluster.close();
    },
  };
}
/** A client that falls silent, as that of a process which is no more. */
function mortal(kube: Kube): { kube: Kube; die(): void } {
  let dead = false;
  const lives = (value: unknown): unknown => (dead ? new Promise(() => undefined) : value);
  const handler: ProxyHandler<Kube> = {
    get: (target, name, receiver) => {
      const method: unknown = Reflect.get(target, name, receiver);
      if (typeof method !== 'function' || name === 'watch') return method;
      return (...args: unknown[]) => {
        if (dead) return lives(undefined);
        const answer: unknown = Reflect.apply(method, target, args);
        return answer instanceof Promise ? answer.then(lives) : answer;
      };
    },
  };
  return {
    kube: new Proxy(kube, handler),
    die: () => {
      dead = true;
    },
  };
}

export type LauncherFixture = Awaited<ReturnType<typeof startLauncherFixture>>;

export function launchWish(change: object = {}) {
  const key = generateKey();
  return {
    enclave: `e${randomBytes(5).toString('hex')}`,
    user: 'ada',
    profile: 'small',
    nonce: randomBytes(32),
    certificateRequest: Buffer.from(buildCertificateRequest({ spki: key.spki }, key.sign, key.scheme)),
    timeoutMs: 20_000,
    ...change,
  };
}
