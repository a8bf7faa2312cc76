import { openGrant } from '../../formats/evidence/grant.ts';
import { rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import type { Statement } from '../../formats/evidence/statement.ts';
import { fails, holds, notRun, type Outcome } from '../check-log.ts';
import type { EvidenceContext, VerifyContext } from '../context.ts';
import { accepts, acceptsImage, type Policy } from '../policy/policy.ts';
import { checkAccepted, written } from './accepted.ts';

/** Every image of the pod is accepted, by digest or by name and digest. */
export function checkImages({ pod }: Statement, { images }: Policy): Outcome<undefined> {
  let all = '';
  let refused = '';
  for (const { container, image } of pod.images) {
    const shown = `${container}: ${image}`;
    all += all === '' ? shown : `, ${shown}`;
    if (acceptsImage(images, image)) continue;
    refused += refused === '' ? shown : `, ${shown}`;
  }
  return refused === ''
    ? holds(undefined, written(images), all)
    : fails('image-refused', written(images), refused);
}

/** Mode, authentication and upstream of the sidecar. */
export function checkAccess({ access }: Statement, policy: Policy): Outcome<undefined> {
  const { mode, auth, upstream } = access;
  const [modes, auths, upstreams] = [written(policy.modes), written(policy.auth), written(policy.upstream)];
  const expected = () => `${modes}; ${auths}; ${upstreams}`;
  const actual = () => `${mode}; ${auth}; ${upstream}`;
  const good =
    accepts(policy.modes, mode) && accepts(policy.auth, auth) && accepts(policy.upstream, upstream);
  if (!good) return fails('access-refused', expected(), actual());
  const detail = auth === 'jwt' ? 'auth is jwt: the front is trusted for who gets in' : undefined;
  return holds(undefined, expected, actual, detail);
}

/**
 * The owner key is the verifier's, or it signed a grant for the verifier's key; without a key, the policy's list counts.
 * @param mine `ownerKeySha256` of the context
 */
export function checkOwner(
  { access, pod }: Statement,
  mine: string | undefined,
  policy: Policy,
  context: VerifyContext,
): Outcome<undefined> {
  const { grant, crypto, now } = context;
  const owner = access.ownerKeySha256 ?? 'none';
  if (mine === undefined) return checkAccepted('owner-refused', policy.ownerKeys, owner);
  if (owner === mine) return holds(undefined, mine);
  if (access.ownerKeySha256 === undefined && access.auth === 'jwt')
    return notRun(
      undefined,
      mine,
      owner,
      'there is no owner key; auth is jwt, so the front is trusted for who gets in',
    );
  if (!grant) return fails('owner-refused', mine, owner);
  const opened = openGrant(crypto, grant.grant, grant.signature, owner);
  if (!opened.ok) return fails('grant-refused', `a grant by ${owner}`, opened.message);
  const { enclave, keySha256, notAfter } = opened.value;
  const expected = `a grant for ${pod.enclave}, key ${mine}, valid at ${now}`;
  const actual = `a grant for ${enclave}, key ${keySha256}, valid until ${notAfter}`;
  return enclave === pod.enclave && keySha256 === mine && now <= notAfter
    ? holds(undefined, expected, actual)
    : fails('grant-refused', expected, actual);
}

/** The roots that the sidecar started with are a set that the verifier knows. */
export function checkRoots({ access }: Statement, context: EvidenceContext): Outcome<undefined> {
  const { crypto, trust, cache } = context;
  const own = () => cache?.rootsSha256(crypto, trust) ?? rootsSha256(crypto, rootsToJson(trust));
  // A list, whatever was given: the word any is nothing that can be said here.
  const known = [...(context.rootSets ?? [own()])];
  return checkAccepted('roots-refused', known, access.rootsSha256);
}
