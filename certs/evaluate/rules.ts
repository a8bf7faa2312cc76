import { equal } from '../../formats/bytes/bytes.ts';
import type { SubjectAltName } from '../../formats/x509/general-names.ts';
import { encodeName } from '../../formats/x509/name.ts';
import type { CertsRefusal } from '../code.ts';
import { refuseCerts } from '../code.ts';
import type { ReadRequest, RequestObject } from './request.ts';

const POD_EXTRA = 'authentication.kubernetes.io/';

/** The one value of `authentication.kubernetes.io/<name>`, which the API server takes from the caller's pod-bound token. */
export function extraOf(
  object: RequestObject,
  name: 'node-name' | 'pod-name' | 'pod-uid',
): string | undefined {
  const values = object.extra[POD_EXTRA + name];
  const [value, ...rest] = values ?? [];
  return rest.length === 0 && value !== '' ? value : undefined;
}

/** Each usage that the role lists, and no other, in any order. */
export function breachOfUsages(object: RequestObject, listed: readonly string[]): CertsRefusal | undefined {
  const asked = new Set(object.usages);
  if (
    asked.size === listed.length &&
    asked.size === object.usages.length &&
    listed.every((each) => asked.has(each))
  )
    return undefined;
  return refuseCerts(
    'request-usages',
    `usages are ${JSON.stringify(object.usages)}; this signer gives ${JSON.stringify(listed)}`,
    'ask for exactly these',
  );
}

export interface AllowedContent {
  /** Evidence belongs in the request. */
  readonly evidence: boolean;
  /** Names that the request may state; undefined: none. They must then be exactly these. */
  readonly names?: { readonly dns: readonly string[]; readonly uri: readonly string[] } | undefined;
}

/**
 * What a request may contain besides its key: names equal to those that we derive, or none; evidence where the role has it. A common name is
 * for people and not taken over; any other part of a subject, any other extension and any other attribute refuse: nothing of a request is ever dropped silently.
 */
export function breachOfContent({ csr }: ReadRequest, allowed: AllowedContent): CertsRefusal | undefined {
  const { extensionRequest, evidence, unknown } = csr.attributes;
  const no = (what: string) =>
    refuseCerts('request-content', what, 'leave it out: the certificate service writes what it verified');
  if (!equal(csr.subject, encodeName({ commonName: csr.commonName })))
    return no('the subject holds more than a common name');
  if (unknown.length > 0) return no(`attributes ${unknown.join(', ')} are not listed`);
  if (evidence !== undefined && !allowed.evidence) return no('evidence is not for this signer');
  if (extensionRequest === undefined) return undefined;
  const { subjectAltName, unknown: others, unknownCritical, ...rest } = extensionRequest;
  const asked = [...others, ...unknownCritical, ...Object.keys(rest)];
  if (asked.length > 0) return no(`extensions ${asked.join(', ')} are not listed`);
  if (subjectAltName !== undefined && !sameNames(subjectAltName, allowed.names))
    return refuseCerts(
      'names-differ',
      `the request names ${JSON.stringify([...subjectAltName.dns, ...subjectAltName.uri])}, the caller's names are ${JSON.stringify([...(allowed.names?.dns ?? []), ...(allowed.names?.uri ?? [])])}`,
      'ask for exactly these, or for none',
    );
  return undefined;
}

function sameNames(asked: SubjectAltName, derived: AllowedContent['names']): boolean {
  if (derived === undefined || (asked.ip?.length ?? 0) > 0 || (asked.others ?? 0) > 0) return false;
  return sameSet(asked.dns, derived.dns) && sameSet(asked.uri, derived.uri);
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && new Set(a).size === a.length && a.every((each) => b.includes(each));
}
