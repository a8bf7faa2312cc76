import { join } from 'node:path';
import { fromBase64url, toBase64url } from '../../formats/bytes/base64.ts';
import { isJsonObject, parseJson } from '../../formats/bytes/json.ts';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import { writeFileAtomic } from '../../platform/files/write-file-atomic.ts';
import { EMPTY_STATE, type TrustState } from './trust-state.ts';

const FILE = 'trust-state.json';
const MAX_BYTES = 4 * 1024 * 1024;

/** The trust state's file, beside the keys: whoever may write it may sign as well. */
export interface TrustStore {
  load(): TrustState;
  save(state: TrustState): void;
}

export function openTrustStore(folder: string): TrustStore {
  const path = join(folder, FILE);
  return {
    load: () => {
      const text = readIfThere(path)?.toString('utf8');
      return text === undefined ? EMPTY_STATE : decode(path, text);
    },
    save: (state) => writeFileAtomic(path, encode(state), 0o600),
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

/** A file that was damaged is not replaced by an empty one: that would take revocations back and the version down. */
function decode(path: string, text: string): TrustState {
  const parsed = parseJson(text, { maxBytes: MAX_BYTES, maxDepth: 5 });
  const wrong = (what: string): Error =>
    new Error(`${path} is damaged (${what}): restore it from its backup`);
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
  // Our own file, written by `encode`: its entries were judged when they came in, and the document's encoder judges them again.
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
