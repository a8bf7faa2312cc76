import type { PcrSelection, TokenKey, TrustDocument } from '../../formats/evidence/trust-document.ts';
import type { Revocations } from '../evaluate/revocations.ts';
import type { Epoch } from './epoch.ts';

type Revoked = TrustDocument['revoked'];

/** What the certificate service remembers across restarts, next to its keys. */
export interface TrustState {
  /** Of the newest document that may have been seen by anybody. */
  readonly version: number;
  readonly rootSets: readonly string[];
  /** By agents and the launcher. */
  readonly revoked: Revoked;
  /** Users whom the operator revoked, as long as the operator says so. */
  readonly operatorRevoked: readonly string[];
  readonly tokenKeys: readonly TokenKey[];
  readonly epoch: Epoch | undefined;
}

export const EMPTY_STATE: TrustState = {
  version: 0,
  rootSets: [],
  revoked: { certificates: [], users: [], grants: [] },
  operatorRevoked: [],
  tokenKeys: [],
  epoch: undefined,
};

/** Entries of each kind that one document holds; formats/evidence refuses more. */
export const MAX_REVOCATIONS = 1500;
/** Entries of grants that one owner key may have: nobody's many leave no room for the others'. */
export const MAX_REVOCATIONS_PER_OWNER = 64;
/** Bytes of JSON that each kind may take: together they leave 64 KiB of a document for all else, whatever the names are. */
const MAX_BYTES: Readonly<Record<keyof Revoked, number>> = {
  certificates: 114_688,
  users: 65_536,
  grants: 245_760,
};
const MAX_ROOT_SETS = 64;

/** Without what has ended by itself. */
export function withoutEnded(revoked: Revoked, now: number): Revoked {
  return {
    certificates: revoked.certificates.filter(({ until }) => until > now),
    users: revoked.users,
    grants: revoked.grants.filter(({ until }) => until > now),
  };
}

/** Adds one revocation. The same again can end later, never sooner: an old one that is sent again takes nothing back. Undefined when there is no room for it. */
export function withRevocation<K extends keyof Revoked>(
  revoked: Revoked,
  kind: K,
  entry: Revoked[K][number],
): Revoked | undefined {
  const entries = revoked[kind] as readonly Revoked[K][number][];
  const known = entries.find((each) => keyOf(each) === keyOf(entry));
  if (known !== undefined && untilOf(known) >= untilOf(entry)) return revoked;
  const others = entries.filter((each) => each !== known);
  const changed = [...others, entry];
  if (!fits(kind, changed)) return undefined;
  if (kind === 'grants' && !ownerFits(changed as Revoked['grants'])) return undefined;
  return { ...revoked, [kind]: changed };
}

/** Whether a document has room for these. */
export function fits(kind: keyof Revoked, entries: readonly object[]): boolean {
  return entries.length <= MAX_REVOCATIONS && Buffer.byteLength(JSON.stringify(entries)) <= MAX_BYTES[kind];
}

/** Whether the owner of the last one has no more than an owner may have. */
function ownerFits(grants: Revoked['grants']): boolean {
  const owner = grants.at(-1)?.ownerKeySha256;
  return grants.filter((each) => each.ownerKeySha256 === owner).length <= MAX_REVOCATIONS_PER_OWNER;
}

/** A revocation without an end lasts. */
function untilOf(entry: object): number {
  return 'until' in entry ? Number(entry.until) : Number.POSITIVE_INFINITY;
}

function keyOf(entry: object): string {
  return JSON.stringify(Object.entries(entry).filter(([name]) => name !== 'until'));
}

/** All users that are revoked, whoever did it; those of the operator come first, as far as there is room. */
export function revokedUsers({ revoked, operatorRevoked }: TrustState): Revoked['users'] {
  return usersThatFit([...operatorRevoked, ...revoked.users.map(({ user }) => user)]).map((user) => ({
    user,
  }));
}

/** The first of these, each once, as far as a document has room. */
export function usersThatFit(users: readonly string[]): string[] {
  const fitting: string[] = [];
  let bytes = 2;
  for (const user of new Set(users)) {
    bytes += Buffer.byteLength(JSON.stringify({ user })) + 1;
    if (fitting.length >= MAX_REVOCATIONS || bytes > MAX_BYTES.users) break;
    fitting.push(user);
  }
  return fitting;
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
