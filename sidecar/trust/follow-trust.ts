import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import { acceptTrustDocument, type TrustDocument } from '../../formats/evidence/trust-document.ts';
import { POD_CHANGED } from '../../names/wire.ts';
import type { HealthCheck } from '../../platform/health/health.ts';
import type { Logger } from '../../platform/log/logger.ts';
import type { Metrics } from '../../platform/metrics/metrics.ts';
import { type Backoff, createBackoff } from '../../platform/run/backoff.ts';
import { explain } from '../../platform/run/explain.ts';
import type { Settable } from '../../platform/run/live.ts';
import type { AgentCalls } from '../agent/agent-calls.ts';
import { AgentError } from '../agent/agent-error.ts';

export interface Trust {
  /** Roots of the newest document; those of the pod's spec until there is one. */
  readonly roots: Roots;
  readonly document: TrustDocument | undefined;
}

export interface FollowingTrust {
  readonly agent: AgentCalls;
  readonly trust: Settable<Trust>;
  readonly crypto: Crypto;
  /** Of the own pod. */
  readonly podUid: string;
  /** Told why there is no document yet; whether the one that is held is good enough, others say. */
  readonly check: Pick<HealthCheck, 'fail'>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
  /** Between attempts; default 200 ms to 10 s. */
  readonly backoff?: Backoff;
}

/** The agent holds a poll for 30 seconds when there is nothing new. */
const PROMPT_MS = 5_000;

/**
 * Follows the trust document through the agent by long polls. The agent is only its carrier: a document is taken when a `system` root that is held
 * already signed it, and its version grows.
 */
export async function followTrust(following: FollowingTrust): Promise<void> {
  const { agent, trust, crypto, podUid, check, log, metrics, signal } = following;
  const version = metrics.gauge('trust_document_version', 'Version of the trust document that is held.');
  const documents = metrics.counter('trust_documents_total', 'Trust documents by outcome.', ['outcome']);
  const backoff = following.backoff ?? createBackoff(200, 10_000);
  let changed = false;
  while (!signal.aborted) {
    try {
      const { roots, document } = trust.current();
      const held = document?.version ?? 0;
      const asked = performance.now();
      const signed = await agent.trust(held, signal);
      if (signed === undefined) {
        // An agent that answers at once, instead of holding the poll, must not be asked in a tight loop.
        if (performance.now() - asked < PROMPT_MS) await backoff.wait(signal);
        continue;
      }
      const accepted = acceptTrustDocument(crypto, signed, { roots, version: held });
      if (!accepted.ok) {
        documents.inc({ outcome: 'refused' });
        log.warn({ code: accepted.code, reason: accepted.message }, 'trust document refused');
        await backoff.wait(signal);
        continue;
      }
      backoff.reset();
      documents.inc({ outcome: 'accepted' });
      version.set(accepted.value.version);
      const next = changed ? withoutPod(accepted.value, podUid) : accepted.value;
      trust.set({ roots: next.roots, document: next });
    } catch (error) {
      if (signal.aborted) return;
      const { roots, document } = trust.current();
      if (!changed && error instanceof AgentError && error.code === POD_CHANGED) {
        changed = true;
        log.error({ reason: explain(error) }, 'the agent has revoked this pod: nobody is let in any more');
        if (document !== undefined) trust.set({ roots, document: withoutPod(document, podUid) });
      }
      if (document === undefined) check.fail(`none yet: ${explain(error)}`);
      log.debug({ reason: explain(error) }, 'no trust document from the agent');
      await backoff.wait(signal);
    }
  }
}

/** The agent speaks for its own node's pods, and has the revocation published: to a pod that it no longer hands documents to, its word is as good. */
function withoutPod(document: TrustDocument, podUid: string): TrustDocument {
  const { revoked } = document;
  const certificates = [...revoked.certificates, { podUid, until: Number.MAX_SAFE_INTEGER }];
  return { ...document, revoked: { ...revoked, certificates } };
}
