import { randomBytes } from 'node:crypto';
import { binaryName } from '../names/components.ts';
import { elect } from '../platform/kube/election.ts';
import { kubeFromConfig } from '../platform/kube/kube-options.ts';
import type { Context } from '../platform/run/context.ts';
import { lead } from './lead.ts';
import { certsMetrics } from './metrics.ts';
import type { CERTS_OPTIONS } from './options.ts';
import { readSettings } from './settings.ts';
import { candidateName } from './start/leader-label.ts';

/** A successor of a leader that was killed waits so long, at most, and looks each fifth of it. */
const LEASE_MS = 8_000;

/**
 * The certificate service: of its replicas one leads and does everything, the others stand by. It needs nobody to start: it makes its keys, signs for itself,
 * and what it writes into the cluster is tried until it holds.
 */
export async function certsApp(context: Context<typeof CERTS_OPTIONS>): Promise<void> {
  const { config, log, health, signal } = context;
  const settings = readSettings(config);
  const kube = kubeFromConfig(config);
  const metrics = certsMetrics(context.metrics);
  const random = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));
  const check = health.check('leadership');
  const defect = new AbortController();
  metrics.leader.set(0);
  const election = {
    kube,
    name: binaryName('certs'),
    namespace: settings.releaseNamespace,
    identity: await candidateName(kube, settings.releaseNamespace, config.bind),
    signal: AbortSignal.any([signal, defect.signal]),
    log,
    leaseMs: LEASE_MS,
    onStandby: () => check.ok('standing by: another replica leads'),
  };
  await elect(election, async (term) => {
    metrics.leader.set(1);
    metrics.elections.inc();
    check.fail('elected, starting');
    try {
      await lead({ context, settings, metrics, term, check, random });
    } catch (error) {
      // Not what passes: that is tried again where it happens.
      if (!term.signal.aborted) defect.abort(error);
    } finally {
      metrics.leader.set(0);
      check.fail('no longer leads');
    }
  });
  kube.close();
  if (defect.signal.aborted) throw defect.signal.reason;
}
