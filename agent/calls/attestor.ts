import { toBase64url } from '../../formats/bytes/base64.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import {
  encodeStatement,
  STATEMENT_PROFILE,
  type StatementConfirmation,
} from '../../formats/evidence/statement.ts';
import { HASHES } from '../../formats/tpm/algorithms.ts';
import { type Clock, unixSeconds } from '../../platform/run/clock.ts';
import type { Live } from '../../platform/run/live.ts';
import type { TrustHolder } from '../../platform/trust/trust-holder.ts';
import type { QuoteQueue } from '../attestation/quote-queue.ts';
import type { AgentQuote } from '../attestation/quoter.ts';
import type { Claims } from '../caller/caller.ts';
import { type AgentResult, refuseCall } from '../code.ts';
import { type AkCertificate, certificateOf } from '../enrolment/ak-certificates.ts';

export interface AttestorOptions {
  readonly queue: QuoteQueue<AgentQuote>;
  readonly certificates: Live<readonly AkCertificate[]>;
  readonly trust: TrustHolder;
  readonly clock: Clock;
}

/** What a caller gets quoted: claims of the API server's view, a key or certificate, a nonce. */
export interface Attested {
  readonly claims: Claims;
  readonly confirmation: StatementConfirmation;
  /** 16 to 64 bytes; undefined: the epoch. */
  readonly nonce: Uint8Array | undefined;
  /** DER, leaf first; empty before there is a certificate. */
  readonly certificateChain: readonly Uint8Array[];
}

/** Makes evidence: statement, place in a batch, quote, PCR values, attestation key. Endpoint and server name are the sidecar's to add. */
export class Attestor {
  readonly #options: AttestorOptions;

  constructor(options: AttestorOptions) {
    this.#options = options;
  }

  /** @throws TpmUnavailable */
  async evidence(attested: Attested): Promise<AgentResult<Bundle>> {
    const { queue, certificates, trust, clock } = this.#options;
    const notReady = (what: string) =>
      refuseCall('agent-not-ready', `the agent has no ${what} yet`, 'try again', 500);
    const held = trust.current;
    if (held === undefined) return notReady('trust document');
    if (certificates.current().length === 0) return notReady('certificate for its attestation key');
    const statement = encodeStatement({
      eat_profile: STATEMENT_PROFILE,
      eat_nonce: toBase64url(attested.nonce ?? held.document.epoch.current),
      iat: unixSeconds(clock),
      sub: attested.claims.sub,
      cnf: attested.confirmation,
      pod: attested.claims.pod,
      access: attested.claims.access,
    });
    const quoted = await queue.submit(attested.claims.pod.uid, statement);
    if (!quoted.ok) return quoted;
    const { blinder, leafIndex, leafCount, path, quote } = quoted.value;
    // The certificate of the key that quoted: another one may be in service by now.
    const ak = certificateOf(certificates.current(), quote.attestationKeyPublic);
    if (ak === undefined) return notReady('certificate for its attestation key');
    return {
      ok: true,
      value: {
        certificateChain: [...attested.certificateChain],
        statement,
        blinder,
        leafIndex,
        leafCount,
        path,
        attest: quote.attest,
        signature: quote.signature,
        pcrValues: { hashAlgorithm: HASHES[quote.selection.hash], values: [...quote.pcrValues] },
        eventLog: new Uint8Array(0),
        attestationKeyPublic: quote.attestationKeyPublic,
        attestationKeyCertificateChain: [...ak.chain],
        endpoint: '',
        serverName: '',
      },
    };
  }
}
