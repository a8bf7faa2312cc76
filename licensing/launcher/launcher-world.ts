import type { Roots } from '../../formats/evidence/roots.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import type { Logger } from '../../platform/log/logger.ts';
import type { Clock } from '../../platform/run/clock.ts';
import type { TrustClient } from '../trust/trust-client.ts';
import type { LauncherMetrics } from './launcher-metrics.ts';
import type { ClusterView } from './pods/cluster-view.ts';
import type { EnclaveLocks } from './pods/enclave-locks.ts';

/** What the launcher works with. */
export interface LauncherWorld {
  readonly kube: Kube;
  readonly view: ClusterView;
  readonly locks: EnclaveLocks;
  /** Where the agents' service account is. */
  readonly releaseNamespace: string;
  /** Where it creates pods and looks for profiles; the first comes first. */
  readonly namespaces: readonly string[];
  readonly sidecarImage: string;
  /** Images of the release before, which running enclaves may have. */
  readonly formerSidecarImages: readonly string[];
  readonly enclaveDomain: string;
  /** host:port where users reach every enclave, when it is not the pod's own. */
  readonly publicEndpoint: string | undefined;
  readonly requireIsolation: boolean;
  /** The address that is dialled from. */
  readonly localAddress: string;
  /** The sidecars' port, but for tests. */
  readonly sidecarPort: number;
  /** For a launch whose caller names no time. */
  readonly launchTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: LauncherMetrics;
  /** The certificate service, to hand on what owners revoke. */
  readonly trustService: Pick<TrustClient, 'revoke'>;
  /** Those of the newest trust document. */
  roots(): Roots;
  /** Is this text of roots one that the trust document names? */
  readonly acceptsRoots: (roots: string) => boolean;
}
