import { readServerVersion } from '../../../platform/kube/server-version.ts';
import { Failure } from '../../failure.ts';
import { type AdminFlags, withCluster } from '../with-cluster.ts';
import type { Workspace } from '../workspace.ts';
import { diagnose } from './checks.ts';
import { readSnapshot } from './read-snapshot.ts';
import { outcomeOf, reportLines, summaryOf } from './report.ts';

export interface DoctorFlags extends AdminFlags {
  /** Exit code 0 where there are warnings and nothing worse. */
  readonly allowWarnings?: boolean;
}

const VERSION_MS = 10_000;

/** `enclavectl doctor`: looks at an installation from outside, says what is wrong and what to do. Changes nothing. */
export async function doctor(workspace: Workspace, flags: DoctorFlags): Promise<void> {
  const { output, settings, signal } = workspace;
  await withCluster(workspace, flags, async (kube, api) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(VERSION_MS)]);
    const server = await readServerVersion(api, limit);
    const pinned = settings.pinnedIfAny();
    const front = settings.knowsServer()
      ? { address: settings.server(), text: settings.serverText(), serverName: settings.serverName() }
      : undefined;
    const { namespace } = flags;
    const snapshot = await readSnapshot({ kube, namespace, server, pinned, front, signal });
    const results = diagnose(snapshot);
    const outcome = outcomeOf(results);
    output.result(
      { ok: outcome === 'ok', outcome, server: api.server, namespace, checks: results },
      reportLines(results, output.width),
    );
    if (outcome === 'problem' || (outcome === 'warning' && flags.allowWarnings !== true))
      throw new Failure(outcome, `installation-${outcome}`, summaryOf(results), '');
  });
}
