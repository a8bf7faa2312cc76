import { fromBase64url, toBase64url } from '../../formats/bytes/base64.ts';
import { isJsonObject, parseJson } from '../../formats/bytes/json.ts';
import { TRUST_STATE_SECRET, TRUST_STATE_SECRET_TYPE } from '../../names/certs-state.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { SECRETS, type Secret } from '../../platform/kube/resources.ts';
import { readOwnSecret, secretData, secretText } from '../state/own-secret.ts';
import type { TrustState } from './trust-state.ts';

const KEY = 'state.json';
/** A Secret holds no more; `trust-state.ts` bounds what stands in it to less. */
export const MAX_TRUST_STATE_BYTES = 1024 * 1024;

/** The trust state's Secret. */
export interface TrustStore {
  /** What stands there; undefined when there is none. */
  load(): Promise<TrustState | undefined>;
  /**
   * Replaces what this process loaded or saved last, and nothing else: when somebody wrote meanwhile, the API server answers Conflict. After a failure nobody knows
   * what stands there: `load` comes before the next `save`.
   */
  save(state: TrustState): Promise<void>;
}

export function createTrustStore(kube: Kube, namespace: string): TrustStore {
  const own = { namespace, name: TRUST_STATE_SECRET, type: TRUST_STATE_SECRET_TYPE };
  let known: Secret | undefined;
  return {
    load: async () => {
      known = await readOwnSecret(kube, own);
      return known && decode(`Secret ${own.name}`, secretText(known, KEY));
    },
    save: async (state) => {
      const data = secretData({ [KEY]: encode(state) });
      known = await (known === undefined
        ? kube.create(SECRETS, { metadata: { namespace, name: own.name }, type: own.type, data })
        : kube.replace(SECRETS, { ...known, data }));
    },
  };
}

function encode(state: TrustState): string {
  const { epoch, ...rest } = state;
  const written = epoch && {
    current: toBase64url(epoch.current),
    previous: toBase64url(epoch.previous),
    at: epoch.at,
  };
  return `${JSON.stringify({ ...rest, ...(written && { epoch: written }) })}\n`;
}

/** A state that was damaged is not replaced by an empty one: that would take revocations back and the version down. */
function decode(where: string, text: string): TrustState {
  const parsed = parseJson(text, { maxBytes: MAX_TRUST_STATE_BYTES, maxDepth: 5 });
  const wrong = (what: string): Error =>
    new Error(`${where} is damaged (${what}): restore it from its backup`);
  if (!parsed.ok) throw wrong(parsed.message);
  const value = parsed.value;
  if (!isJsonObject(value) || !Number.isSafeInteger(value['version'])) throw wrong('no version');
  const revoked = value['revoked'];
  if (
    !isJsonObject(revoked) ||
    !['certificates', 'users', 'grants'].every((kind) => Array.isArray(revoked[kind]))
  )
    throw wrong('no revocations');
  if (!Array.isArray(value['rootSets']) || !Array.isArray(value['tokenKeys'])) throw wrong('no root sets');
  // Our own, written by `encode`: its entries were judged when they came in, and the document's encoder judges them again.
  const state = value as unknown as Omit<TrustState, 'epoch' | 'operatorRevoked'> & Partial<TrustState>;
  return {
    version: state.version,
    rootSets: state.rootSets,
    revoked: state.revoked,
    operatorRevoked: state.operatorRevoked ?? [],
    tokenKeys: state.tokenKeys,
    epoch: decodeEpoch(value['epoch']),
  };
}

function decodeEpoch(value: unknown): TrustState['epoch'] {
  const epoch = value as { current?: string; previous?: string; at?: number } | undefined;
  const current = fromBase64url(epoch?.current ?? '');
  const previous = fromBase64url(epoch?.previous ?? '');
  return current?.length === 32 && previous?.length === 32 && epoch?.at !== undefined
    ? { current, previous, at: epoch.at }
    : undefined;
}
