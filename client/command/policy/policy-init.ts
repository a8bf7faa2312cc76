import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { writeFileAtomic } from '../../../platform/files/write-file-atomic.ts';
import { formatPolicy } from '../../../verify/policy/format-policy.ts';
import { parsePolicy } from '../../../verify/policy/parse-policy.ts';
import type { Policy } from '../../../verify/policy/policy.ts';
import { usage } from '../../failure.ts';
import { madeAt, type Observation, observe } from '../../library/policy/observe.ts';
import { heldTrust } from '../../library/trust/trust.ts';
import { bundleFrom } from '../bundle-source.ts';
import { refusedVerdict, verdictLines, verdictObject } from '../terminal/print-verdict.ts';
import { wrap } from '../terminal/styled.ts';
import { readTime } from '../verify-command.ts';
import { trustStore, type Workspace } from '../workspace.ts';
import { MEMBERS } from './policy-members.ts';

export interface PolicyInitFlags {
  readonly from: string;
  readonly at?: string;
  readonly force?: boolean;
}

/** Not in a bundle: how long evidence is good is the verifier's choice. */
const MAX_AGE = 300;
const COMMENT_WIDTH = 110;

/**
 * `enclavectl policy init --from BUNDLE [FILE]`: a policy that pins every value that was seen. The bundle has to hold in itself, judged when it was
 * made unless `--at` says otherwise.
 */
export async function policyInit(workspace: Workspace, file: string, flags: PolicyInitFlags): Promise<void> {
  const { output, settings } = workspace;
  const path = resolve(file === '' ? 'policy.yaml' : file);
  const bundle = bundleFrom(workspace, flags.from);
  const pinned = settings.pinned();
  const at = flags.at === undefined ? (madeAt(bundle) ?? workspace.now()) : readTime(flags.at);
  const observed = observe(bundle, heldTrust(pinned, trustStore(workspace, pinned)), at);
  if (!observed.ok) {
    output.result(verdictObject(observed.verdict), verdictLines(observed.verdict, output.width));
    throw refusedVerdict(observed.verdict);
  }
  const policy = { ...observed.policy, maxAge: MAX_AGE };
  requireExpressible(policy);
  const text = commented(policy, observed);
  if (flags.force === true) writeFileAtomic(path, text, 0o644);
  else writeNew(path, text);
  const warnings = warningsOf(observed);
  output.result({ ok: true, file: path, policy: formatPolicy(policy), warnings }, [
    `${path}: every value is the one that ${flags.from} has; read what each pins before you rely on it`,
    ...warnings.map((warning) => [{ text: `warning: ${warning}`, style: 'warning' as const }]),
  ]);
}

/** A namespace, say, can be called "any": written down it would accept every one. */
function requireExpressible(policy: Policy): void {
  const again = parsePolicy(formatPolicy(policy));
  if (again.ok && isDeepStrictEqual(again.value, policy)) return;
  throw usage(
    'policy-inexpressible',
    again.ok
      ? 'the bundle has a value "any", which a policy reads as any value'
      : `the bundle has a value that no policy can list: ${again.message}`,
    'nothing can pin it: have the pod run under another name',
  );
}

function warningsOf(observed: Observation): string[] {
  return [
    ...(observed.policy.allowEmulatedTpm ? [`allowEmulatedTpm: ${MEMBERS.allowEmulatedTpm.any}`] : []),
    ...(observed.policy.ownerKeys === 'any'
      ? [
          'ownerKeys: the enclave has no owner key (auth is jwt), so any is written; the server decides who gets in',
        ]
      : []),
  ];
}

/** The policy as YAML, above every member what it pins and where else its values come from. */
function commented(policy: Policy, observed: Observation): string {
  const values = formatPolicy(policy);
  const made = `${new Date(observed.madeAt * 1000).toISOString().slice(0, 19)}Z`;
  const warnings = new Map(warningsOf(observed).map((each) => [each.slice(0, each.indexOf(':')), each]));
  const comment = (text: string) => wrap(text, COMMENT_WIDTH).map((line) => `# ${line}\n`);
  const members = (Object.keys(MEMBERS) as (keyof Policy)[]).map((member) => {
    const { pins, source } = MEMBERS[member];
    const warning = warnings.get(member);
    return [
      ...comment(pins),
      // Not wrapped: a command is copied whole.
      `# From elsewhere: ${source}\n`,
      ...(warning === undefined ? [] : comment(`WARNING: ${warning}`)),
      stringify(
        { [member]: values[member] },
        { lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' },
      ),
    ].join('');
  });
  const head = comment(
    `Made by enclavectl policy init from evidence of ${made}. It accepts what was seen then, and nothing else: that these values are good ones, compare out of band.`,
  );
  return [head.join(''), ...members].join('\n');
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx', mode: 0o644 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    throw usage('file-exists', `${path} is there already`, 'give another name, or --force to replace it');
  }
}
