import { type Bundle, bundleProblem } from '../../formats/evidence/bundle.ts';
import { fails, holds, type Outcome } from '../check-log.ts';

/** All parts there and within bounds; a client's bundle has a certificate chain, a request's evidence has none. */
export function checkBundleShape(bundle: Bundle, withCertificate: boolean): Outcome<Bundle> {
  const expected = withCertificate
    ? 'a bundle with certificate'
    : 'evidence without certificate and event log';
  const { certificateChain, eventLog } = bundle;
  const misplaced = withCertificate
    ? certificateChain.length === 0
      ? 'certificate_chain is empty'
      : undefined
    : certificateChain.length + eventLog.length > 0
      ? 'a certificate or an event log is there'
      : undefined;
  const problem = bundleProblem(bundle) ?? misplaced;
  return problem === undefined ? holds(bundle, expected) : fails('bundle-malformed', expected, problem);
}
