import { isDeepStrictEqual } from 'node:util';
import type { PcrSelection, TokenKey, TrustDocument } from '../../formats/evidence/trust-document.ts';
import type { Revocations } from '../evaluate/revocations.ts';
import type { Epoch } from './epoch.ts';

type Revoked = TrustDocument['revoked'];

/** What the certificate service remembers across restarts, next to its keys. */
export interface TrustState {
  /** Of the newest document that may have been seen by anybody. */
  readonly version: number;
  readonly rootSets: readonly string[];
  readonly revoked: Revoked;
  readonly tokenKeys: readonly TokenKey[];
  readonly epoch: Epoch | undefined;
}

export const EMPTY_STATE: TrustState = {
  version: 0,
  rootSets: [],
  revoked: { certificates: [], users: [], grants: [] },
  tokenKeys: [],
  epoch: undefined,
};

/** Entries of each kind that one document holds; formats/evidence refuses more. */
export const MAX_REVOCATIONS = 1500;
const MAX_ROOT_SETS = 64;

/** Without what has ended by itself. */
export function withoutEnded(revoked: Revoked, now: number): Revoked {
  return {
    certificates: revoked.certificates.filter(({ until }) => until > now),
    users: revoked.users,
    grants: revoked.grants.filter(({ until }) => until > now),
  };
}

/** Adds one revocation; the same again changes its end only, or nothing at all. Undefined when there is no room left for it. */
export function withRevocation<K extends keyof Revoked>(
  revoked: Revoked,
  kind: K,
  entry: Revoked[K][number],
): Revoked | undefined {
  if ((revoked[kind] as readonly object[]).some((each) => isDeepStrictEqual(each, entry))) return revoked;
  const others = (revoked[kind] as readonly object[]).filter((each) => keyOf(each) !== keyOf(entry));
  if (others.length >= MAX_REVOCATIONS) return undefined;
  return { ...revoked, [kind]: [...others, entry] };
}

function keyOf(entry: object): string {
  return JSON.stringify(Object.entries(entry).filter(([name]) => name !== 'until'));
}

/** The current set of roots, newest first, then earlier ones that pods may still carry. */
export function withRootSet(rootSets: readonly string[], current: string): readonly string[] {
  return [current, ...rootSets.filter((each) => each !== current)].slice(0, MAX_ROOT_SETS);
}

export function revocationsOf(revoked: Revoked): Revocations {
  return {
    isPodRevoked: (podUid) => revoked.certificates.some((each) => each.podUid === podUid),
    isUserRevoked: (user) => revoked.users.some((each) => each.user === user),
    isGrantRevoked: (grant) =>
      revoked.grants.some(
        (each) =>
          each.ownerKeySha256 === grant.ownerKeySha256 &&
          each.keySha256 === grant.keySha256 &&
          each.enclave === grant.enclave,
      ),
  };
}

const PCRS = /^(sha256|sha384):([0-9]{1,2}(?:,[0-9]{1,2})*)$/;

/** Reads `sha256:0,1,2,7`: one bank, PCRs 0 to 15 ascending (the resettable ones say nothing). Undefined for anything else. */
export function parsePcrSelection(text: string): PcrSelection | undefined {
  const match = PCRS.exec(text);
  const [, hash, list] = match ?? [];
  if ((hash !== 'sha256' && hash !== 'sha384') || list === undefined) return undefined;
  const pcrs = list.split(',').map(Number);
  const ascending = pcrs.every((pcr, i) => pcr <= 15 && (i === 0 || pcr > (pcrs[i - 1] ?? pcr)));
  return ascending ? { hash, pcrs } : undefined;
}
