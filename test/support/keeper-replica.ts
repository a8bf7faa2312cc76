import type { Clock } from '../../platform/run/clock.ts';
import { liveValue } from '../../platform/run/live.ts';
import { ClusterCopy } from '../../webhook/keeper/cluster-copy.ts';
import { runKeeper } from '../../webhook/keeper/keeper.ts';
import { keeperMetrics } from '../../webhook/keeper/keeper-metrics.ts';
import { RELEASE, type TestCluster } from '../certs/cluster.ts';
import { CONFIG } from '../injection/support.ts';
import { loopbackAddress } from './loopback-block.ts';
import { recordingLogger } from './recording-logger.ts';
import { recordingMetrics } from './recording-metrics.ts';

export interface Replica {
  readonly name: string;
  readonly metrics: ReadonlyMap<string, number>;
  readonly lines: readonly string[];
  stop(): Promise<void>;
}

/** One replica's keeper, with the webhook's rights and no more. */
export async function startReplica(cluster: TestCluster, name: string, clock: Clock): Promise<Replica> {
  const kube = await cluster.as('enclave-webhook');
  const { log, lines } = recordingLogger();
  const metrics = recordingMetrics();
  const abort = new AbortController();
  const { signal } = abort;
  const release = { sidecarImages: [CONFIG.sidecarImage], enclaveDomain: CONFIG.enclaveDomain };
  const excludedNamespaces = [RELEASE, 'kube-system'];
  const copy = new ClusterCopy({ kube, release, excludedNamespaces, log, signal });
  const ended = runKeeper({
    kube,
    copy,
    releaseNamespace: RELEASE,
    identity: name,
    roots: liveValue(CONFIG.roots),
    localAddress: loopbackAddress(),
    log,
    metrics: keeperMetrics(metrics),
    clock,
    signal,
    leaseMs: 2_000,
    probeEveryMs: 300,
  });
  const stop = async (): Promise<void> => {
    abort.abort();
    await ended;
  };
  return { name, metrics: metrics.values, lines, stop };
}
