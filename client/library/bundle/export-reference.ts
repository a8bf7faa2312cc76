import { rootsToJson } from '../../../formats/evidence/roots.ts';
import type { PcrSelection } from '../../../formats/evidence/trust-document.ts';
import { encodePem } from '../../../formats/x509/pem.ts';
import { ISSUERS } from '../../../names/signers.ts';
import { formatPolicy } from '../../../verify/policy/format-policy.ts';
import type { Policy } from '../../../verify/policy/policy.ts';
import type { Trust } from '../trust/trust.ts';
import type { ExportFiles } from './export-files.ts';

/** What the exporter judges by; an auditor compares it, or brings another. */
export interface ExportReference {
  readonly trust: Pick<Trust, 'roots' | 'rootSets'> & { readonly pcrSelection?: PcrSelection | undefined };
  readonly policy?: Policy | undefined;
  /** Unix seconds: the time that the README gives to verify.sh. */
  readonly now: number;
}

/** The exporter’s reference values as files. */
export function referenceFiles({ trust, policy }: ExportReference): ExportFiles {
  const pems = ISSUERS.map((issuer) => [
    `roots-${issuer}.pem`,
    trust.roots[issuer].map((der) => encodePem('CERTIFICATE', der)).join(''),
  ]);
  const { rootSets, pcrSelection } = trust;
  return {
    ...(Object.fromEntries(pems) as ExportFiles),
    'roots.json': rootsToJson(trust.roots),
    'trust.json': `${JSON.stringify({ rootSets, ...(pcrSelection && { pcrSelection }) }, null, 2)}\n`,
    ...(policy && { 'policy.json': `${JSON.stringify(formatPolicy(policy), null, 2)}\n` }),
  };
}
