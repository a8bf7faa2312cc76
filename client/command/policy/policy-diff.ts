import { formatPolicy } from '../../../verify/policy/format-policy.ts';
import { attest } from '../../library/evidence/attest.ts';
import { madeAt, observe } from '../../library/policy/observe.ts';
import { type Difference, policyDifferences } from '../../library/policy/policy-difference.ts';
import { heldTrust } from '../../library/trust/trust.ts';
import { bundleFrom } from '../bundle-source.ts';
import { refusedVerdict, verdictLine, verdictLines, verdictObject } from '../terminal/print-verdict.ts';
import { GAP, type Line, row, type Segment } from '../terminal/styled.ts';
import { readTime } from '../verify-command.ts';
import { trustStore, type Workspace } from '../workspace.ts';
import { acceptedText, MEMBER_WIDTH } from './policy-check.ts';

export interface PolicyDiffFlags {
  readonly at?: string;
}

/**
 * `enclavectl policy diff BUNDLE`: member by member what the bundle has against what the policy accepts. Judged when it was made unless
 * `--at` says otherwise, so that an old bundle shows what differs, not that it is old. Ends with 1 when the policy refuses it.
 */
export async function policyDiff(
  workspace: Workspace,
  source: string,
  flags: PolicyDiffFlags,
): Promise<void> {
  const { output, settings } = workspace;
  const policy = settings.policy();
  const bundle = bundleFrom(workspace, source);
  const pinned = settings.pinned();
  const trust = heldTrust(pinned, trustStore(workspace, pinned));
  const at = flags.at === undefined ? (madeAt(bundle) ?? workspace.now()) : readTime(flags.at);
  const observed = observe(bundle, trust, at);
  if (!observed.ok) {
    output.result(verdictObject(observed.verdict), verdictLines(observed.verdict, output.width));
    throw refusedVerdict(observed.verdict);
  }
  const verdict = attest(bundle, { policy, trust, nonce: 'unchecked', now: at });
  const differences = policyDifferences(policy, observed, at - observed.madeAt);
  const accepted = formatPolicy(policy);
  const members = differences.map(({ member, ...rest }) => ({
    member,
    ...rest,
    accepts: accepted[member] ?? null,
  }));
  output.result({ ok: verdict.ok, ...(verdict.code && { code: verdict.code }), members }, [
    ...head(output.width),
    ...members.flatMap((each) => lines(each, acceptedText(each.accepts), output.width)),
    verdictLine(verdict),
  ]);
  if (!verdict.ok) throw refusedVerdict(verdict);
}

function lines({ ok, member, has, refused }: Difference, accepts: string, width: number): Line[] {
  const mark: Segment = ok ? { text: 'ok', style: 'good' } : { text: 'NO', style: 'bad' };
  const widths = widthsOf(width);
  if (ok) return row([mark, member, accepts, has.join(', ')], widths);
  return [
    ...row([mark, member, accepts, refused[0] ?? ''], widths),
    ...refused.slice(1).flatMap((value) => row(['', '', '', value], widths)),
  ];
}

function head(width: number): Line[] {
  return row(
    ['', 'MEMBER', 'ACCEPTS', 'THE BUNDLE HAS'].map((text) => ({ text, style: 'title' })),
    widthsOf(width),
  );
}

function widthsOf(width: number): number[] {
  const values = Math.max(Math.floor((width - 2 - MEMBER_WIDTH - 3 * GAP) / 2), 16);
  return [2, MEMBER_WIDTH, values, values];
}
