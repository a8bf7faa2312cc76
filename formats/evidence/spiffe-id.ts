/** Who a pod runs as (SPIFFE-ID standard, section 2, in the Kubernetes form of its path). */
export interface SpiffeId {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

const LABEL = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(?:\\.${LABEL})*`;
const PATTERN = new RegExp(`^spiffe://(${SUBDOMAIN})/ns/(${LABEL})/sa/(${SUBDOMAIN})$`);
const MAX_LENGTH = 600;

/** @throws RangeError when a part is no DNS name: parts come from the API server or the configuration */
export function formatSpiffeId(id: SpiffeId): string {
  const text = `spiffe://${id.trustDomain}/ns/${id.namespace}/sa/${id.serviceAccount}`;
  if (!parseSpiffeId(text)) throw new RangeError(`${text} is no SPIFFE ID`);
  return text;
}

/** Undefined for anything but `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` in lower case. */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  const match = text.length > MAX_LENGTH ? null : PATTERN.exec(text);
  const [, trustDomain, namespace, serviceAccount] = match ?? [];
  if (trustDomain === undefined || namespace === undefined || serviceAccount === undefined) return undefined;
  if (trustDomain.length > 253 || serviceAccount.length > 253) return undefined;
  return { trustDomain, namespace, serviceAccount };
}
