import type { Bundle } from '../formats/evidence/bundle.ts';
import { CheckLog } from './check-log.ts';
import { checkNode } from './checks/bindings.ts';
import { checkBundleShape } from './checks/bundle-shape.ts';
import { checkRoots } from './checks/claims.ts';
import { checkAge, checkConfirmation, checkNonce } from './checks/statement.ts';
import type { RequestContext } from './context.ts';
import { checkClaims, checkQuote, checkTpmState } from './evidence.ts';
import { fingerprint } from './fingerprint.ts';
import type { Policy } from './policy/policy.ts';
import type { Verdict } from './verdict.ts';

/**
 * Verifies the evidence inside a certificate request as the certificate service: as `verify`, but before there is a
 * certificate, so the statement confirms the request's key (`spki#S256`, and no other form) and its nonce is an epoch.
 * Whether that pod exists, is bound to that node and has that owner key, the certificate service asks the API server.
 */
export function verifyRequestEvidence(bundle: Bundle, policy: Policy, context: RequestContext): Verdict {
  const { crypto, now, epochs, spki } = context;
  const log = new CheckLog();

  const shape = log.check('bundle-shape', [], () => checkBundleShape(bundle, false));
  const quoted = checkQuote(log, shape, policy, context);
  const { statement, certified } = quoted;
  const nonce = log.check('nonce', [statement], (claims) => checkNonce(claims, { epochs }));
  log.check('age', [statement], (claims) => checkAge(claims, now, policy.maxAge));
  log.check('confirmation', [statement], (claims) =>
    checkConfirmation(claims, 'spki#S256', fingerprint(crypto, spki)),
  );
  log.check('node', [certified, statement], (key, claims) => checkNode(key, claims, undefined));
  const remember = checkTpmState(log, quoted, nonce, policy, context);
  checkClaims(log, statement, policy);
  log.check('roots', [statement], (claims) => checkRoots(claims, context));
  return log.verdict(statement, remember);
}
