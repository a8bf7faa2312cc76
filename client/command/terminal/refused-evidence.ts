import { Failure } from '../../failure.ts';
import type { Judgement } from '../../library/evidence/judge-evidence.ts';
import { refusedVerdict } from './print-verdict.ts';

/** The refusal that evidence which was refused ends a command with; one that the user may accept says how. */
export function refusedEvidence({ verdict, acceptable }: Judgement): Failure {
  const refusal = refusedVerdict(verdict);
  if (acceptable === undefined) return refusal;
  const { node, code } = acceptable;
  const what =
    code === 'node-other-tpm'
      ? `the node ${node} shows another TPM than the one seen before`
      : `the TPM of the node ${node} went back behind what was seen before`;
  return new Failure(
    'verdict',
    refusal.code,
    `${refusal.message}: ${what}`,
    `do not connect. Ask the operator what was done to the node; if that explains it, enclavectl trust accept ${node} shows what changes and takes it over`,
  );
}

/** What `--json` says of a refusal, beside the verdict. */
export function refusalObject({ code, message, remedy }: Failure): object {
  return { ok: false, code, message, remedy };
}
