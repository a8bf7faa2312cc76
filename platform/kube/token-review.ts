import type { Kube } from './kube.ts';
import { TOKEN_REVIEWS } from './resources.ts';

/** Who a token speaks for, as the API server says. */
export interface TokenIdentity {
  /** `system:serviceaccount:<namespace>:<name>` */
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  /** First value of each `authentication.kubernetes.io/...` extra, for example pod-uid, pod-name, node-name. */
  readonly podName?: string;
  readonly podUid?: string;
  readonly nodeName?: string;
  readonly nodeUid?: string;
}

/**
 * Asks the API server whose token this is. Undefined when it is not good for this audience: `status.authenticated` alone does not say so, because a server
 * that does not know audiences answers true for any.
 */
export async function reviewToken(
  kube: Kube,
  token: string,
  audience: string,
): Promise<TokenIdentity | undefined> {
  const { status } = await kube.create(TOKEN_REVIEWS, { spec: { token, audiences: [audience] } });
  if (status?.authenticated !== true || !status.audiences?.includes(audience) || !status.user?.username)
    return undefined;
  const extra = (name: string): string | undefined => {
    const values = status.user?.extra?.[`authentication.kubernetes.io/${name}`];
    return values?.length === 1 ? values[0] : undefined;
  };
  const pick = <K extends string>(key: K, name: string) => {
    const value = extra(name);
    return value === undefined ? {} : ({ [key]: value } as Record<K, string>);
  };
  return {
    username: status.user.username,
    uid: status.user.uid ?? '',
    groups: status.user.groups ?? [],
    ...pick('podName', 'pod-name'),
    ...pick('podUid', 'pod-uid'),
    ...pick('nodeName', 'node-name'),
    ...pick('nodeUid', 'node-uid'),
  };
}
