import { isJsonObject, type Json } from '../../formats/bytes/json.ts';
import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import {
  integer,
  list,
  mapOf,
  object,
  oneOf,
  readValue,
  type Shape,
  sha256Hex,
  text,
  where,
  within,
} from '../../formats/evidence/json-shape.ts';
import type { Accepted, Policy } from './policy.ts';

/** A refused policy: its message begins with the path of the member that is wrong. */
export type PolicyCode = 'policy-malformed';

const MAX_LIST = 256;
const MAX_SETS = 32;
const MAX_DIGESTS = 64;
const DIGEST_HEX = { sha256: 64, sha384: 96 } as const;

const ANY: Json = 'any';
const itself: Shape<Json> = (value) => value;
const anyAlone = where(
  itself,
  (value) => !Array.isArray(value) || value.length === 1 || !value.includes(ANY),
  '"any" as the only item, or no "any",',
);

/** The list `[any]`, or a list of items that is not empty. */
function accepted<T>(item: Shape<T>, max = MAX_LIST): Shape<Accepted<T>> {
  const items = list(item, 1, max);
  return (value) => {
    const found = anyAlone(value);
    return Array.isArray(found) && found[0] === ANY ? 'any' : items(found);
  };
}

const NAME = text(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 253, 'a DNS name');
const UPSTREAM = text(/^[\x21-\x7e]+$/, 256, 'an upstream');
const IMAGE = text(
  /^([a-z0-9][-a-z0-9._/:]*@)?sha256:[0-9a-f]{64}$/,
  512,
  'sha256:<64 hex>, or an image name with that digest',
);

function pcrPolicy(hash: keyof typeof DIGEST_HEX) {
  const digest = text(
    new RegExp(`^[0-9a-f]{${DIGEST_HEX[hash]}}$`),
    DIGEST_HEX[hash],
    `a ${hash} digest in lower-case hex`,
  );
  return object({
    accept: oneOf('listed'),
    hash: oneOf(hash),
    sets: list(
      object({
        name: text(/^[!-~]([ -~]*[!-~])?$/, 128, 'a name in printable ASCII'),
        values: mapOf(/^(0|[1-9]|1[0-5])$/, accepted(digest, MAX_DIGESTS), 1, 16),
      }),
      1,
      MAX_SETS,
    ),
  });
}
const ANY_PCRS = object({ accept: oneOf('any') });
const PCRS = { sha256: pcrPolicy('sha256'), sha384: pcrPolicy('sha384') } as const;
const ACCEPT = oneOf('any', 'listed');
const HASH = oneOf('sha256', 'sha384');
const pcrs: Shape<ReturnType<(typeof PCRS)['sha256']> | ReturnType<(typeof PCRS)['sha384']> | 'any'> = (
  value,
) => {
  const members = isJsonObject(value) ? value : {};
  if (!Object.hasOwn(members, 'accept')) return PCRS.sha256(value);
  if (within(ACCEPT, members['accept'] ?? null, 'accept') === 'any') {
    ANY_PCRS(value);
    return 'any';
  }
  return Object.hasOwn(members, 'hash') && within(HASH, members['hash'] ?? null, 'hash') === 'sha384'
    ? PCRS.sha384(value)
    : PCRS.sha256(value);
};
const boolean: Shape<boolean> = (value) =>
  oneOf('true', 'false')(typeof value === 'boolean' ? `${value}` : null) === 'true';

const SHAPE = object(
  {
    eks: accepted(sha256Hex),
    pcrs,
    roots: accepted(sha256Hex),
    namespaces: accepted(NAME),
    serviceAccounts: accepted(NAME),
    enclaves: accepted(NAME),
    images: accepted(IMAGE),
    specSha256: accepted(sha256Hex),
    modes: accepted(oneOf('tcp', 'http')),
    auth: accepted(oneOf('mtls', 'jwt')),
    upstream: accepted(UPSTREAM),
    ownerKeys: accepted(sha256Hex),
    maxAge: integer(1, 86_400),
  },
  { allowEmulatedTpm: boolean },
) satisfies Shape<unknown>;

/**
 * Reads a policy from a value that a JSON or YAML parser made (schema.json says the same, for editors and for the
 * CRD). Fails closed: an empty or missing list refuses, `any` has to be written as the only item, unknown members
 * refuse; only `allowEmulatedTpm` has a default, false. Every PCR set names the same PCRs.
 */
export function parsePolicy(value: unknown): Result<Policy, PolicyCode> {
  const read = readValue(value as Json, SHAPE);
  if (!read.ok) return no(read.message);
  const { allowEmulatedTpm = false, pcrs: found, ...rest } = read.value;
  if (found === 'any') return success({ ...rest, allowEmulatedTpm, pcrs: found });
  const sets = found.sets.map(({ name, values }) => ({
    name,
    values: new Map([...values].map(([pcr, digests]) => [Number(pcr), digests] as const)),
  }));
  const selections = new Set(sets.map(({ values }) => [...values.keys()].sort((a, b) => a - b).join()));
  if (selections.size > 1) return no('pcrs.sets: the same PCRs in every set are expected');
  return success({ ...rest, allowEmulatedTpm, pcrs: { hash: found.hash, sets } });
}

function no(message: string) {
  return refuse('policy-malformed', message, 'write every list, and [any] where any value will do');
}
