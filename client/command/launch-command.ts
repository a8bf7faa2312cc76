import { randomBytes } from 'node:crypto';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { Phase } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { Failure, usage } from '../failure.ts';
import { challenge, judgeEvidence } from '../library/evidence/judge-evidence.ts';
import { launchEnclave } from '../library/front/launch.ts';
import { keySha256 } from '../library/front/owner-key.ts';
import { checkUserCertificate } from '../library/front/user-certificate.ts';
import { expectedSpecs } from '../library/policy/expected-spec.ts';
import { readProfileFile } from '../library/policy/profile-file.ts';
import type { PendingLaunch } from '../state/launch-store.ts';
import { EXIT, endingOf } from './exit-code.ts';
import { printVerdict, verdictObject } from './terminal/print-verdict.ts';
import { refusalObject, refusedEvidence } from './terminal/refused-evidence.ts';
import {
  enclaves,
  launches,
  newestTrust,
  requireSession,
  trustStore,
  type Workspace,
  withFront,
} from './workspace.ts';

export interface LaunchFlags {
  readonly launchId?: string;
  readonly profileFile?: string;
  readonly timeout: number;
}

const PHASES: ReadonlyMap<Phase, string> = new Map(
  Object.entries(Phase).map(([name, value]) => [value, name.replace('PHASE_', '').toLowerCase()]),
);

/** `enclavectl launch PROFILE`: launches, verifies the bundle by the policy, and keeps key, certificate and bundle. */
export async function launch(workspace: Workspace, profile: string, flags: LaunchFlags): Promise<void> {
  const { settings, output, signal } = workspace;
  const policy = settings.policy();
  const operatorProfile = flags.profileFile === undefined ? undefined : readProfileFile(flags.profileFile);
  await withFront(workspace, async (client, pinned) => {
    const { token } = requireSession(workspace, pinned);
    // A CA that nobody vouched for is no reason to launch; what it is by the end counts.
    await newestTrust(workspace, client, pinned);
    const pending = beginLaunch(workspace, profile, flags.launchId);
    const store = trustStore(workspace, pinned);
    const asked = challenge(store);
    output.progress(`launch ${pending.launchId}: asking for ${profile}`);
    const launched = await launchEnclave({
      client,
      token,
      profile,
      key: pending.key,
      nonce: asked.nonce,
      launchId: Buffer.from(pending.launchId, 'hex'),
      signal,
      timeoutMs: flags.timeout,
      onProgress: ({ phase, message, enclave }) =>
        output.progress(`${(PHASES.get(phase) ?? 'unknown').padEnd(10)} ${enclave}  ${message}`),
      onRetry: (reason) => output.progress(`the server is away (${reason}); trying again`),
    }).catch((error: unknown) => {
      if (signal.aborted)
        output.note(
          `the launch goes on; join it: enclavectl launch ${profile} --launch-id ${pending.launchId}`,
        );
      // Refused for good: nothing is there to be joined, and the key is nobody's.
      else if (endingOf(error, false).exit !== EXIT.unreachable) launches(workspace).remove(pending.launchId);
      throw error;
    });
    const { enclave, bundle } = launched;
    const kept = enclaves(workspace);
    const other = kept.key(enclave.id);
    // The id is the server's to say; the key of another enclave is not its to replace.
    if (other !== undefined && keySha256(other) !== keySha256(pending.key))
      throw new Failure(
        'fault',
        'enclave-id-taken',
        `the server calls the new enclave ${enclave.id}, and another key is held for that id`,
        'nothing was replaced; tell the operator',
      );
    const trust = await newestTrust(workspace, client, pinned);
    const spec =
      operatorProfile ?? (launched.profileSpec === undefined ? undefined : JSON.parse(launched.profileSpec));
    const specs = expectedSpecs(policy, {
      enclave: enclave.id,
      ownerKeySha256: keySha256(pending.key),
      profileSpec: spec,
      rootsTexts: trust.rootsTexts,
      serverName: bundle.serverName,
    });
    const expected = {
      policy,
      trust,
      now: workspace.now(),
      ownerKeySha256: keySha256(pending.key),
      enclave: enclave.id,
      ...(specs.ok && { specSha256: specs.value }),
    };
    const judged = await judgeEvidence(bundle, asked, expected, store);
    const { verdict } = judged;
    for (const each of judged.notices) output.notice(each);
    // Kept whatever the verdict: the owner stops a refused enclave, and shows its bundle to the operator.
    kept.saveKey(enclave.id, pending.key);
    kept.saveBundle(enclave.id, bundle);
    kept.saveRecord({
      id: enclave.id,
      profile,
      server: settings.serverText(),
      endpoint: bundle.endpoint,
      serverName: bundle.serverName,
      ...(spec !== undefined && { profileSpec: JSON.stringify(spec) }),
    });
    launches(workspace).remove(pending.launchId);
    printVerdict(output, verdict);
    if (verdict.ok) {
      const { chain } = checkUserCertificate(launched.userCertificateChain, {
        trust,
        now: workspace.now(),
        enclave: enclave.id,
        key: pending.key,
      });
      kept.saveCertificate(enclave.id, chain);
    }
    const source = operatorProfile === undefined ? 'server' : 'file';
    const refusal = verdict.ok ? undefined : refusedEvidence(judged);
    const report = {
      ...(refusal === undefined ? { ok: true } : refusalObject(refusal)),
      enclave: enclave.id,
      endpoint: bundle.endpoint,
      serverName: bundle.serverName,
      verdict: verdictObject(verdict),
      specification: specs.ok
        ? { expected: specs.value, profileFrom: source }
        : { notComputed: specs.message },
    };
    output.result(report, [
      ...(specs.ok
        ? source === 'server'
          ? [
              'note: the specification was computed from the profile as the server sent it; --profile-file compares it with the operator’s',
            ]
          : []
        : [`note: the specification was not computed: ${specs.message}`]),
      `enclave ${enclave.id} at ${bundle.endpoint} (${bundle.serverName})`,
    ]);
    if (refusal !== undefined) throw refusal;
  });
}

function beginLaunch(workspace: Workspace, profile: string, launchId: string | undefined): PendingLaunch {
  const store = launches(workspace);
  const server = workspace.settings.serverText();
  if (launchId !== undefined) {
    const known = store.load(launchId);
    if (known === undefined || known.profile !== profile || known.server !== server)
      throw usage(
        'launch-unknown',
        `no launch ${launchId.slice(0, 64)} of ${profile} was begun here`,
        'leave --launch-id out',
      );
    return known;
  }
  const begun = { launchId: randomBytes(16).toString('hex'), profile, server, key: generateKey() };
  // Before the first byte is sent: an enclave whose key is lost is nobody's.
  store.save(begun);
  return begun;
}
