import { rootsToJson } from '../formats/evidence/roots.ts';
import { MAX_RPC_REQUEST_BYTES } from '../names/rpc-limits.ts';
import { nodeCrypto } from '../platform/crypto/node-crypto.ts';
import type { HealthCheck } from '../platform/health/health.ts';
import type { Term } from '../platform/kube/election.ts';
import { createRpcServer } from '../platform/rpc/rpc-server.ts';
import { aborted } from '../platform/run/aborted.ts';
import { createBackoff } from '../platform/run/backoff.ts';
import type { Context } from '../platform/run/context.ts';
import { explain } from '../platform/run/explain.ts';
import { mapLive } from '../platform/run/live.ts';
import { startController } from './controller/controller.ts';
import { createJudge } from './controller/judge.ts';
import { createNodeRegistry } from './enrolment/node-registry.ts';
import { namesOf } from './evaluate/system.ts';
import type { CertsMetrics } from './metrics.ts';
import type { CERTS_OPTIONS } from './options.ts';
import { addServices } from './services.ts';
import type { Settings } from './settings.ts';
import { keepClusterCurrent } from './start/keep-cluster-current.ts';
import { type Material, openMaterial } from './start/material.ts';
import { ownIdentity } from './start/own-identity.ts';
import { followRevokedUsers } from './trust/follow-revoked-users.ts';
import { turnEpochs } from './trust/turn-epochs.ts';
import { createView } from './view.ts';

export interface LeadOptions {
  readonly context: Context<typeof CERTS_OPTIONS>;
  readonly settings: Settings;
  readonly metrics: CertsMetrics;
  readonly term: Term;
  readonly check: HealthCheck;
  random(bytes: number): Uint8Array;
}

/** Calls under way when a term ends get so long, in milliseconds: a successor waits for the lease meanwhile. */
const GRACE_MS = 1_000;

/**
 * One term: everything that the certificate service does, from the Secrets it opens to the last answer. It ends with the term, at once: no signature, no answer and
 * no change of the trust document after it.
 */
export async function lead(options: LeadOptions): Promise<void> {
  const { context, settings, metrics, check, term } = options;
  const { config, log, clock } = context;
  const { signal, kube } = term;
  const material = await openPatiently(options);
  if (material === undefined) return;
  const { publisher, sign, seenTpms, roots } = material;
  const { releaseNamespace } = settings;
  const now = (): number => clock.now();
  const { health, end } = checksOfTerm(context.health);

  const dnsNames = namesOf('certs', undefined, settings) ?? [];
  const { identity, renewals } = ownIdentity({ dnsNames, sign, now, signal });
  const registry = createNodeRegistry(kube, releaseNamespace, now);
  const judge = createJudge({
    crypto: nodeCrypto,
    kube,
    registry,
    view: createView(settings, material, clock),
    onTpm: (tpm) => seenTpms.remember(tpm),
  });
  const server = createRpcServer({
    // Agents enrol before they have a certificate: it is asked for, and each handler says whether it must be there.
    tls: mapLive(identity, (credential) => ({
      credential,
      clientCertificates: { mode: 'requested', roots: roots.system },
    })),
    log,
    metrics: context.metrics,
    health: context.health,
    maxRequestBytes: MAX_RPC_REQUEST_BYTES,
  });
  addServices(server, { ...options, material, registry });
  const port = await server.listen(config.bind, settings.port);
  log.info({ port, trustVersion: publisher.published.current().document.version }, 'leading');

  const controller = startController({
    kube,
    judge,
    sign,
    now,
    log,
    signal,
    onDecision: (object, outcome, message) => {
      const { signerName, username } = object.spec;
      metrics.requests.inc({ signer: signerName, outcome });
      const fields = {
        request: object.metadata?.name,
        signer: signerName,
        username,
        outcome,
        reason: message,
      };
      if (outcome === 'approved' || outcome === 'issued') log.info(fields, 'certificate request');
      else log.warn(fields, 'certificate request refused');
    },
    onCleaned: (count) => metrics.cleaned.inc({}, count),
    onRetry: (loop) => metrics.retries.inc({ loop }),
    onLength: (loop, length) => metrics.queued.set(length, { loop }),
  });
  const loops = [
    renewals,
    controller.ended,
    keepClusterCurrent({
      kube,
      log,
      health,
      signal,
      releaseNamespace,
      address: config.bind,
      rootsJson: rootsToJson(roots),
      systemRoots: () => publisher.published.current().document.roots.system,
      webhookConfigurations: settings.webhookConfigurations,
      now,
    }),
    turnEpochs({ publisher, health, log, signal }),
    followRevokedUsers({ kube, publisher, releaseNamespace, health, log, signal }),
  ];
  const watching = health.check('certificate-requests');
  void controller.watch.synced.then(() => {
    if (!signal.aborted) watching.ok();
  });
  check.ok('leading');
  try {
    await Promise.race([aborted(signal), Promise.all(loops)]);
  } finally {
    await server.close(GRACE_MS);
  }
  await Promise.all(loops);
  end();
  // Whoever leads now counts them.
  for (const kind of ['certificates', 'users', 'grants']) metrics.revocations.set(0, { kind });
}

/** What is wrong with what the cluster keeps, an operator has to mend: it is said, and looked at again. Undefined when the term ended first. */
async function openPatiently(options: LeadOptions): Promise<Material | undefined> {
  const { context, settings, metrics, term, check, random } = options;
  const { log, clock } = context;
  const backoff = createBackoff(200, 5_000);
  while (!term.signal.aborted) {
    try {
      const { kube, holds } = term;
      return await openMaterial({ settings, kube, crypto: nodeCrypto, clock, metrics, random, holds });
    } catch (error) {
      check.fail(explain(error));
      log.error(
        { reason: explain(error) },
        'what the cluster keeps for the certificate service cannot be used',
      );
      await backoff.wait(term.signal);
    }
  }
  return undefined;
}

/** Health whose checks can be taken out of readiness together. */
function checksOfTerm(health: Context<typeof CERTS_OPTIONS>['health']): {
  health: typeof health;
  end(): void;
} {
  const checks: HealthCheck[] = [];
  return {
    health: {
      ...health,
      check: (name) => {
        const check = health.check(name);
        checks.push(check);
        return check;
      },
    },
    end: () => {
      for (const check of checks) check.end();
    },
  };
}
