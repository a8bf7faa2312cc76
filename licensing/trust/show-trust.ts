import type { Metrics } from '../../platform/metrics/metrics.ts';
import type { FollowTrustOptions } from '../../platform/trust/follow-trust.ts';
import type { TrustHolder } from '../../platform/trust/trust-holder.ts';

/** Which trust document is in use, and how many were refused, as metrics; to be told of each document that comes. */
export function showTrust(metrics: Metrics, holder: TrustHolder): NonNullable<FollowTrustOptions['onOffer']> {
  const version = metrics.gauge('trust_document_version', 'Version of the trust document in use');
  const refused = metrics.counter('trust_documents_refused_total', 'Trust documents not accepted', ['code']);
  return (outcome) => {
    version.set(holder.version);
    if (!outcome.ok) refused.inc({ code: outcome.code });
  };
}
