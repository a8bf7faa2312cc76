import { launchRefusal } from '../../licensing/codes/launch-status.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { createRpcServer, type RpcServer } from '../../platform/rpc/rpc-server.ts';
import type { Handlers } from '../../platform/rpc/service.ts';
import { liveValue } from '../../platform/run/live.ts';
import type { Bundle } from '../../proto/gen/enclave_licensing/evidence/v1/bundle.ts';
import type { LaunchResponse } from '../../proto/gen/enclave_licensing/launcher/v1/launcher.ts';
import { LauncherServiceService } from '../../proto/gen/enclave_licensing/launcher/v1/launcher_service.ts';
import { Phase } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { freePorts } from '../../tools/cluster/free-ports.ts';
import { recordingMetrics } from './recording-metrics.ts';
import type { TestAuthority } from './test-authority.ts';

export const LAUNCHER_NAME = 'enclave-launcher.enclave-licensing.svc';
const PHASES = [
  Phase.PHASE_CREATED,
  Phase.PHASE_STARTED,
  Phase.PHASE_CERTIFIED,
  Phase.PHASE_ATTESTED,
  Phase.PHASE_ISOLATED,
  Phase.PHASE_READY,
] as const;

/**
 * A launcher whose cluster is a set of enclaves. It can be killed and started again: the cluster stays, the process's calls are cut. Profiles `refused` and `crash` fail,
 * every other becomes ready, unless held at a phase.
 */
export class FakeLauncher {
  readonly pods = new Set<string>();
  readonly calls: string[] = [];
  /** Launches stay at this phase until it is set to something else. */
  holdAt: Phase | undefined;
  /** Stop answers UNAVAILABLE. */
  failStops = false;
  readonly #authority: TestAuthority;
  #server: RpcServer | undefined;
  #changed = Promise.withResolvers<void>();
  port = 0;

  constructor(authority: TestAuthority) {
    this.#authority = authority;
  }

  async start(): Promise<void> {
    const credential = this.#authority.issue({ dns: [LAUNCHER_NAME, 'launcher.enclave-licensing.internal'] });
    const roots = [this.#authority.root];
    this.#server = createRpcServer({
      tls: liveValue({ credential, clientCertificates: { mode: 'required' as const, roots } }),
      log: silentLogger,
      metrics: recordingMetrics(),
      maxRequestBytes: 65_536,
    });
    this.#server.add(LauncherServiceService, this.#handlers());
    // It comes back at the same one.
    if (this.port === 0) [this.port = 0] = await freePorts(1);
    await this.#server.listen('127.0.0.1', this.port);
  }

  /** Its calls are cut; what the API server has stays. */
  async kill(): Promise<void> {
    await this.#server?.close(0);
    this.#server = undefined;
  }

  release(at?: Phase): void {
    this.holdAt = at;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #handlers(): Handlers<typeof LauncherServiceService> {
    const { pods, calls } = this;
    const launch = this.#launch.bind(this);
    return {
      launch,
      evidence: async ({ enclave, nonce }) => {
        calls.push(`evidence ${enclave}`);
        if (!pods.has(enclave)) throw launchRefusal('pod-gone', 'no pod');
        return { bundle: bundleOf(enclave, nonce) };
      },
      stop: async ({ enclave }) => {
        calls.push(`stop ${enclave}`);
        if (this.failStops) throw new Error('the API server is away');
        pods.delete(enclave);
        return {};
      },
      list: async () => ({
        pods: [...pods].map((enclave) => ({
          enclave,
          namespace: 'apps',
          pod: enclave,
          ready: true,
          podPhase: 'Running',
          reason: '',
        })),
      }),
      issueUserCertificate: async ({ enclave, user, grant }) => {
        calls.push(`issue ${enclave} ${user} ${grant.length > 0 ? 'granted' : 'owner'}`);
        return { certificateChain: [Buffer.from(`certificate of ${user}`)] };
      },
      revokeGrant: async ({ revocation, signature }) => {
        const { enclave, keySha256 } = JSON.parse(revocation.toString());
        calls.push(`revoke ${enclave} ${keySha256} ${signature.length > 0 ? 'signed' : ''}`);
        return { trustDocumentVersion: 5n };
      },
    };
  }

  async *#launch(
    ...[request, call]: Parameters<Handlers<typeof LauncherServiceService>['launch']>
  ): AsyncGenerator<LaunchResponse> {
    const { enclave, user, profile, nonce } = request;
    this.calls.push(`launch ${enclave}`);
    if (profile === 'refused')
      throw launchRefusal('pod-refused', 'failed calling webhook: connection refused');
    const aborted = new Promise<void>((resolve) =>
      call.signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    for (const phase of PHASES) {
      if (phase === Phase.PHASE_CREATED) this.pods.add(enclave);
      if (phase === Phase.PHASE_ATTESTED && profile === 'crash')
        throw launchRefusal('crash-loop', 'container app keeps ending (exit code 7)');
      yield {
        event: { $case: 'progress', value: { enclave, phase, message: `phase ${phase}`, at: new Date() } },
      };
      while (this.holdAt === phase && !call.signal.aborted)
        await Promise.race([this.#changed.promise, aborted]);
      if (call.signal.aborted) return;
    }
    yield {
      event: {
        $case: 'result',
        value: {
          bundle: bundleOf(enclave, nonce),
          userCertificateChain: [Buffer.from(`certificate of ${user}`)],
          profile: { name: profile, specJson: '{"image":"app"}' },
          namespace: 'apps',
        },
      },
    };
  }
}

/** Not evidence: something that shows which enclave and nonce it was made for. */
function bundleOf(enclave: string, nonce: Uint8Array): Bundle {
  return {
    certificateChain: [],
    statement: Buffer.from(`${enclave} ${Buffer.from(nonce).toString('hex')}`),
    blinder: Buffer.alloc(32),
    leafIndex: 0,
    leafCount: 1,
    path: [],
    attest: Buffer.from('attest'),
    signature: Buffer.from('signature'),
    pcrValues: undefined,
    eventLog: Buffer.alloc(0),
    attestationKeyPublic: Buffer.from('key'),
    attestationKeyCertificateChain: [],
    endpoint: '127.1.2.3:8443',
    serverName: `${enclave}.enclaves.enclave-licensing.internal`,
  };
}
