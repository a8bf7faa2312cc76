import type { Bundle } from '../formats/evidence/bundle.ts';
import { CheckLog } from './check-log.ts';
import { checkNode, checkOwnerKey, checkPod } from './checks/bindings.ts';
import { checkBundleShape } from './checks/bundle-shape.ts';
import { checkCertificateChain, checkLiveCertificate } from './checks/certificate-chains.ts';
import { checkOwner, checkRoots } from './checks/claims.ts';
import { checkAge, checkConfirmation, checkNonce } from './checks/statement.ts';
import type { VerifyContext } from './context.ts';
import { checkClaims, checkQuote, checkTpmState } from './evidence.ts';
import { certificateFingerprint } from './fingerprint.ts';
import type { Policy } from './policy/policy.ts';
import type { Verdict } from './verdict.ts';

const NO_CERTIFICATE = new Uint8Array(0);

/**
 * Verifies an enclave's bundle as its user: certificate, quote, statement, bindings, boot state and claims, each a
 * line of the verdict (SECURITY.md, docs/evidence-format.md). Synchronous and pure; no bundle makes it throw, and its
 * work is bounded (`WORK_BOUND`).
 * @param policy reference values, from `parsePolicy`
 * @param context roots, time, nonce, the live certificate, the verifier's key, and what was seen before
 */
export function verify(bundle: Bundle, policy: Policy, context: VerifyContext): Verdict {
  const { crypto, now, cache } = context;
  const log = new CheckLog();

  const shape = log.check('bundle-shape', [], () => checkBundleShape(bundle, true));
  const certificate = log.check('certificate-chain', [shape], (parts) =>
    checkCertificateChain(parts, policy, context),
  );
  log.check('live-certificate', [certificate], (leaf) =>
    checkLiveCertificate(leaf, given(context, 'liveCertificate', NO_CERTIFICATE), context),
  );

  const quoted = checkQuote(log, shape, policy, context);
  const { statement, certified } = quoted;
  const nonce = log.check('nonce', [statement], (claims) => checkNonce(claims, context.nonce));
  log.check('age', [statement], (claims) => checkAge(claims, now, policy.maxAge));

  log.check('confirmation', [statement, certificate], (claims, leaf) =>
    checkConfirmation(claims, 'x5t#S256', certificateFingerprint(leaf, crypto, cache)),
  );
  log.check('node', [certified, statement, certificate], checkNode);
  log.check('pod', [certificate, statement], checkPod);
  log.check('owner-key', [certificate, statement], checkOwnerKey);

  const remember = checkTpmState(log, quoted, nonce, policy, context);
  checkClaims(log, statement, policy);
  log.check('owner', [statement], (claims) =>
    checkOwner(claims, given(context, 'ownerKeySha256', ''), policy, context),
  );
  log.check('roots', [statement], (claims) => checkRoots(claims, context));
  return log.verdict(statement, remember);
}

/**
 * A member of the context, undefined only when it was left out. One that is there without a value (the peer's
 * certificate on a resumed session) must not switch its check off: it becomes `nothing`, which no bundle fits.
 */
function given<K extends 'liveCertificate' | 'ownerKeySha256'>(
  context: VerifyContext,
  member: K,
  nothing: NonNullable<VerifyContext[K]>,
): NonNullable<VerifyContext[K]> | undefined {
  return member in context ? (context[member] ?? nothing) : undefined;
}
