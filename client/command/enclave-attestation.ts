import { equal } from '../../formats/bytes/bytes.ts';
import type { Address } from '../../platform/config/option.ts';
import type { Credential } from '../../platform/identity/credential.ts';
import type { Clock } from '../../platform/run/clock.ts';
import type { Policy } from '../../verify/policy/policy.ts';
import type { VerifyCode } from '../../verify/verify-code.ts';
import { requireAccess } from '../library/evidence/access-decision.ts';
import type { Expectation } from '../library/evidence/attest.ts';
import { type FreshEvidence, fetchEvidence } from '../library/evidence/fetch-evidence.ts';
import {
  type Challenge,
  challenge,
  type Judgement,
  judgeEvidence,
} from '../library/evidence/judge-evidence.ts';
import type { FrontClient } from '../library/front/front-client.ts';
import { keySha256 } from '../library/front/owner-key.ts';
import { expectedSpecs } from '../library/policy/expected-spec.ts';
import type { PinnedRoots } from '../library/trust/pinned-roots.ts';
import type { Trust } from '../library/trust/trust.ts';
import type { EnclaveRecord } from '../state/enclave-store.ts';
import { endingOf } from './exit-code.ts';
import { bytesOf, ownKey } from './own-credential.ts';
import { verdictLine, verdictLines, verdictObject } from './terminal/print-verdict.ts';
import { refusalObject, refusedEvidence } from './terminal/refused-evidence.ts';
import { enclaves, newestTrust, trustStore, type Workspace } from './workspace.ts';

export interface AttestationOptions {
  readonly client: FrontClient;
  readonly pinned: PinnedRoots;
  readonly record: EnclaveRecord;
  readonly endpoint: Address;
  readonly policy: Policy;
  /** Say nothing of good verdicts. */
  readonly quiet: boolean;
  readonly clock: Clock;
  /** The user's certificate; absent when no key is held, and a token is what lets in. */
  credential?(): Promise<Credential>;
  /** The user's token for the enclave (`auth: jwt`). */
  token(): Promise<string>;
}

export interface EnclaveAttestation {
  /** What evidence is judged by now. */
  trust(): Trust;
  /** Evidence for a new nonce, verified; what it shows is remembered and told. @returns DER of the certificate that it is about. @throws Failure */
  attest(): Promise<Uint8Array>;
  /** Asks the enclave that was attested last whether it still lets us in. @throws Failure with its reason */
  requireAccess(): Promise<void>;
}

/** Trust documents come each minute. */
const TRUST_MS = 60_000;
/** Refusals that a newer trust document may undo; any other is not held up by asking for one. */
const BY_TRUST = new Set<VerifyCode | undefined>([
  'chain-untrusted',
  'chain-signature',
  'roots-refused',
  'pcr-selection-differs',
]);
/** The bundle that is kept for `bundle export` need not be the last second's. */
const KEEP_MS = 60_000;

/** Attests one enclave as often as it is asked to. */
export async function enclaveAttestation(
  workspace: Workspace,
  options: AttestationOptions,
): Promise<EnclaveAttestation> {
  const { output, signal } = workspace;
  const { client, pinned, record, endpoint, policy, clock } = options;
  const store = trustStore(workspace, pinned);
  const key = enclaves(workspace).key(record.id);
  const owner = key && keySha256(key);
  let trust = await newestTrust(workspace, client, pinned);
  let trustedAt = clock.now();
  /** Later verdicts are remarks: the command's one answer is given by then. */
  let begun = false;
  let keptAt = Number.NEGATIVE_INFINITY;
  let told: Uint8Array | undefined;
  let admitted: { enclave: Uint8Array; own: Uint8Array } | undefined;

  const refresh = async (): Promise<void> => {
    trustedAt = clock.now();
    trust = await newestTrust(workspace, client, pinned);
  };
  /** What is held goes on counting when the server shows what is not to be believed. */
  const tryRefresh = (): Promise<void> =>
    refresh().catch((error: unknown) => {
      const { message, code, remedy } = endingOf(error, false);
      if (!signal.aborted) output.note(`enclavectl: ${message} (${code}); ${remedy}`);
    });
  const judge = (asked: Challenge, { bundle, liveCertificate }: FreshEvidence): Promise<Judgement> => {
    const specs =
      record.profileSpec === undefined || owner === undefined
        ? undefined
        : expectedSpecs(policy, {
            enclave: record.id,
            ownerKeySha256: owner,
            profileSpec: JSON.parse(record.profileSpec),
            rootsTexts: trust.rootsTexts,
            serverName: record.serverName,
          });
    const expected: Omit<Expectation, 'nonce' | 'seen'> = {
      policy,
      trust,
      now: workspace.now(),
      ...(owner !== undefined && { ownerKeySha256: owner }),
      enclave: record.id,
      liveCertificate,
      ...(record.grant && {
        grant: { grant: bytesOf(record.grant.grant), signature: bytesOf(record.grant.signature) },
      }),
      ...(specs?.ok && { specSha256: specs.value }),
    };
    return judgeEvidence(bundle, asked, expected, store);
  };
  /** Now it is known who answers: whether it lets us in, asked once for each pair of certificates. */
  const requireAdmission = async (certificate: Uint8Array): Promise<void> => {
    const shown = (await options.credential?.()) ?? (await options.token());
    const own = typeof shown === 'string' ? Buffer.from(shown) : (shown.chain[0] ?? new Uint8Array());
    if (admitted !== undefined && equal(admitted.enclave, certificate) && equal(admitted.own, own)) return;
    const { serverName } = record;
    await requireAccess({ endpoint, serverName, roots: trust.roots.enclaves, certificate }, shown, signal);
    admitted = { enclave: certificate, own };
  };

  const attest = async (): Promise<Uint8Array> => {
    if (clock.now() - trustedAt >= TRUST_MS) void tryRefresh();
    const asked = challenge(store);
    const evidence = await fetchEvidence(endpoint, record.serverName, asked.nonce, signal);
    let judged = await judge(asked, evidence);
    if (BY_TRUST.has(judged.verdict.code)) {
      // Perhaps the CA was renewed a moment ago, and we have not heard of it.
      const { version } = trust;
      await tryRefresh();
      if (trust.version !== version) judged = await judge(asked, evidence);
    }
    const { verdict, notices } = judged;
    if (!verdict.ok) {
      const refusal = refusedEvidence(judged);
      if (!begun) output.result({ ...verdictObject(verdict), ...refusalObject(refusal) }, []);
      for (const line of verdictLines(verdict, output.width)) output.note(line);
      throw refusal;
    }
    for (const each of notices) output.notice(each);
    // Each connection has a verdict: said of each certificate once.
    const known = told !== undefined && equal(told, evidence.liveCertificate);
    if (!known && !options.quiet) output.note(verdictLine(verdict));
    told = evidence.liveCertificate;
    if (clock.now() - keptAt >= KEEP_MS) {
      enclaves(workspace).saveBundle(record.id, evidence.bundle);
      keptAt = clock.now();
    }
    // A token says who we are to whom believes front: an enclave that does, and no other.
    if (verdict.statement?.access.auth !== 'jwt' && options.credential === undefined)
      ownKey(workspace, record.id);
    await requireAdmission(evidence.liveCertificate);
    begun = true;
    return evidence.liveCertificate;
  };

  const stillAdmitted = async (): Promise<void> => {
    admitted = undefined;
    if (told !== undefined) await requireAdmission(told);
  };

  return { trust: () => trust, attest, requireAccess: stillAdmitted };
}
