import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type { User } from './call.ts';
import { dig, type Fields, type KubeObject, text } from './object.ts';
import { storageKey } from './resource.ts';
import type { Store } from './store.ts';

const PREFIX = 'authentication.kubernetes.io';
/** A deleted pod's token is good for as long as clocks may differ. */
const LEEWAY_MS = 60_000;

/** Why a token is not accepted; the text stands in TokenReview's status. */
export class TokenRefused extends Error {}

export interface Verified {
  readonly user: User;
  readonly audiences: string[];
}

export interface TokenSubject {
  readonly account: KubeObject;
  readonly pod?: KubeObject;
  readonly node?: { readonly name: string; readonly uid?: string };
  readonly secret?: KubeObject;
}

export interface TokenOptions {
  readonly issuer: string;
  /** P-256 private key, PEM: what kube-apiserver takes as --service-account-signing-key-file. Absent: a new one. */
  readonly signingKeyPem?: string | undefined;
  /** How long a token that was good stays good, whatever becomes of its pod: 10 s on a kube-apiserver. */
  readonly cacheMs: number;
}

/** Service account tokens (KEP-1205, KEP-4193): bound to an account and, if so asked, to a pod and its node. */
export interface Tokens {
  readonly issuer: string;
  issue(subject: TokenSubject, audiences: readonly string[], expirationSeconds: number): Promise<string>;
  /** Checks signature, time, audience and that account and pod are still there. Throws TokenRefused. */
  verify(token: string, audiences: readonly string[]): Promise<Verified>;
  /** RFC 7517. */
  jwks(): Promise<Fields>;
}

export async function createTokens(store: Store, options: TokenOptions): Promise<Tokens> {
  const { issuer, signingKeyPem, cacheMs } = options;
  const keys =
    signingKeyPem === undefined
      ? await generateKeyPair('ES256', { extractable: true })
      : { privateKey: createPrivateKey(signingKeyPem), publicKey: createPublicKey(signingKeyPem) };
  const good = new Map<string, { readonly until: number; readonly answer: Verified }>();
  const kid = randomUUID();

  async function issue(
    { account, pod, node, secret }: TokenSubject,
    audiences: readonly string[],
    expirationSeconds: number,
  ): Promise<string> {
    const { namespace, name } = account.metadata;
    const now = Math.floor(Date.now() / 1000);
    const reference = (object: KubeObject): Fields => ({
      name: object.metadata.name,
      uid: object.metadata.uid,
    });
    return new SignJWT({
      'kubernetes.io': {
        namespace,
        ...(node === undefined ? {} : { node }),
        ...(pod === undefined ? {} : { pod: reference(pod) }),
        ...(secret === undefined ? {} : { secret: reference(secret) }),
        serviceaccount: reference(account),
      },
    })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setIssuer(issuer)
      .setSubject(`system:serviceaccount:${namespace}:${name}`)
      .setAudience([...audiences])
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + expirationSeconds)
      .setJti(randomUUID())
      .sign(keys.privateKey);
  }

  async function verify(token: string, audiences: readonly string[]): Promise<Verified> {
    const now = performance.now();
    for (const [key, { until }] of good) {
      if (until > now) break;
      good.delete(key);
    }
    const key = JSON.stringify([token, audiences]);
    const known = good.get(key);
    if (known !== undefined) return known.answer;
    const answer = await verifyNow(token, audiences);
    good.set(key, { until: now + cacheMs, answer });
    return answer;
  }

  async function verifyNow(token: string, audiences: readonly string[]): Promise<Verified> {
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, keys.publicKey, { algorithms: ['ES256'], issuer }));
    } catch (error) {
      const expired = error instanceof Error && 'code' in error && error.code === 'ERR_JWT_EXPIRED';
      throw new TokenRefused(expired ? 'service account token has expired' : 'invalid bearer token');
    }
    const held = [payload.aud ?? []].flat();
    const common = audiences.filter((audience) => held.includes(audience));
    if (common.length === 0)
      throw new TokenRefused(
        `token audiences ${JSON.stringify(held)} is invalid for the target audiences ${JSON.stringify(audiences)}`,
      );
    return { user: liveUser(store, payload), audiences: common };
  }

  return {
    issuer,
    issue,
    verify,
    jwks: async () => ({
      keys: [{ ...(await exportJWK(keys.publicKey)), use: 'sig', alg: 'ES256', kid }],
    }),
  };
}

/** The user of a token whose account and bound objects exist with the UIDs that the token names. */
function liveUser(store: Store, payload: JWTPayload): User {
  const claims = payload['kubernetes.io'];
  const namespace = text(dig(claims, 'namespace'));
  const account = live(store, 'serviceaccounts', namespace, dig(claims, 'serviceaccount'));
  const extra: Record<string, string[]> = { [`${PREFIX}/credential-id`]: [`JTI=${payload.jti}`] };
  for (const [kind, table] of [
    ['pod', 'pods'],
    ['secret', 'secrets'],
  ] as const) {
    const bound = dig(claims, kind);
    if (bound === undefined) continue;
    live(store, table, namespace, bound);
    if (kind === 'pod') Object.assign(extra, named('pod', bound));
  }
  const node = dig(claims, 'node');
  if (node !== undefined) Object.assign(extra, named('node', node));
  return {
    username: `system:serviceaccount:${namespace}:${account.metadata.name}`,
    uid: account.metadata.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra,
  };
}

function named(kind: string, reference: unknown): Record<string, string[]> {
  const uid = text(dig(reference, 'uid'));
  return {
    [`${PREFIX}/${kind}-name`]: [text(dig(reference, 'name'))],
    ...(uid === '' ? {} : { [`${PREFIX}/${kind}-uid`]: [uid] }),
  };
}

function live(store: Store, table: string, namespace: string, reference: unknown): KubeObject {
  const held = store.get(table, storageKey(namespace, text(dig(reference, 'name'))));
  if (held === undefined || held.metadata.uid !== dig(reference, 'uid'))
    throw new TokenRefused('service account token has been invalidated');
  const going = held.metadata.deletionTimestamp;
  if (going !== undefined && Date.parse(going) < Date.now() - LEEWAY_MS)
    throw new TokenRefused('service account token has been invalidated');
  return held;
}
