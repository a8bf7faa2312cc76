import { toBase64url } from '../../formats/bytes/base64.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../formats/bytes/json.ts';
import { integer, list, object, readValue, text } from '../../formats/evidence/json-shape.ts';
import {
  EPOCH_SHAPE,
  REVOKED_SHAPE,
  ROOT_SETS_SHAPE,
  TOKEN_KEYS_SHAPE,
} from '../../formats/evidence/trust-document.ts';
import { TRUST_STATE_SECRET, TRUST_STATE_SECRET_TYPE } from '../../names/certs-state.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { SECRETS, type Secret } from '../../platform/kube/resources.ts';
import { readOwnSecret, secretData, secretText } from '../state/own-secret.ts';
import { MAX_REVOCATIONS, type TrustState } from './trust-state.ts';

const KEY = 'state.json';
/** A Secret holds no more; `trust-state.ts` bounds what stands in it to less. */
export const MAX_TRUST_STATE_BYTES = 1024 * 1024;

/** A version further on would have none after it. */
const MAX_VERSION = 2 ** 52;
const SHAPE = object(
  {
    version: integer(1, MAX_VERSION),
    rootSets: ROOT_SETS_SHAPE,
    revoked: REVOKED_SHAPE,
    operatorRevoked: list(text(/^[^\p{Cc}]+$/u, 253), 0, MAX_REVOCATIONS),
    tokenKeys: TOKEN_KEYS_SHAPE,
  },
  { epoch: EPOCH_SHAPE },
);

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
  const {
    version,
    rootSets,
    revoked,
    operatorRevoked = [],
    tokenKeys,
    epoch,
  } = isJsonObject(parsed.value) ? parsed.value : {};
  // No more than these: a newer version may have written others.
  const members = { version, rootSets, revoked, operatorRevoked, tokenKeys };
  const missing = Object.entries(members).find(([, member]) => member === undefined);
  if (missing !== undefined) throw wrong(`no ${missing[0]}`);
  const state = readValue({ ...members, ...(epoch !== undefined && { epoch }) } as JsonObject, SHAPE);
  if (!state.ok) throw wrong(state.message);
  return { epoch: undefined, ...state.value };
}
