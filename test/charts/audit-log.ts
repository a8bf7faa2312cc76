import type { Request } from './rights.ts';

interface AuditEvent {
  readonly verb: string;
  readonly userAgent?: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly requestObject?: { readonly spec?: { readonly signerName?: string } };
  readonly annotations?: Readonly<Record<string, string>>;
}

const USER_AGENT = 'enclave-licensing';
const DECISION = 'authorization.k8s.io/decision';
const REASON = 'authorization.k8s.io/reason';

/** The requests for resources by our programs under the service accounts of a namespace: what a test tried with somebody's token is not theirs. @throws Error for a line that is no event of audit.k8s.io/v1 */
export function componentRequests(log: string, releaseNamespace: string): Request[] {
  const prefix = `system:serviceaccount:${releaseNamespace}:`;
  return log
    .split('\n')
    .filter((line) => line.includes(prefix))
    .map((line): AuditEvent => JSON.parse(line))
    .filter(
      ({ user, userAgent, objectRef }) =>
        user.username.startsWith(prefix) && userAgent === USER_AGENT && objectRef?.resource !== undefined,
    )
    .map(({ verb, user, objectRef, requestObject, annotations }) => ({
      component: user.username.slice(prefix.length),
      namespace: objectRef?.namespace ?? '',
      group: objectRef?.apiGroup ?? '',
      resource: [objectRef?.resource, objectRef?.subresource].filter(Boolean).join('/'),
      verb,
      name: objectRef?.name ?? '',
      allowedBy:
        annotations?.[DECISION] === 'allow'
          ? (/ of (?:Cluster)?Role "([^"]+)"/.exec(annotations[REASON] ?? '')?.[1] ?? 'another authorizer')
          : undefined,
      signer: requestObject?.spec?.signerName,
    }));
}
