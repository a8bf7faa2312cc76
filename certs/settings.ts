import type { PcrSelection } from '../formats/evidence/trust-document.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import type { ConfigOf } from '../platform/config/option.ts';
import { explain } from '../platform/run/explain.ts';
import { readEndorsementList, readEndorsementRoots } from './enrolment/endorsement-files.ts';
import type { EndorsementContext } from './enrolment/endorsement-trust.ts';
import type { CERTS_OPTIONS } from './options.ts';
import { parsePcrSelection } from './trust/trust-state.ts';

export interface Settings {
  readonly pcrSelection: PcrSelection;
  readonly frontNames: readonly string[];
  readonly webhookConfigurations: readonly string[];
  readonly releaseNamespace: string;
  readonly trustDomain: string;
  readonly enclaveDomain: string;
  readonly port: number;
  /** Reads the operator's files: at start, so that a mistake shows at once, and for each enrolment. */
  readEndorsements(): Pick<EndorsementContext, 'roots' | 'list'>;
}

const DNS_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

/** Judges the flags together. @throws {ConfigError} */
export function readSettings(config: ConfigOf<typeof CERTS_OPTIONS>): Settings {
  const pcrSelection = parsePcrSelection(config.pcrs);
  if (pcrSelection === undefined)
    throw new ConfigError(
      '--pcrs must be sha256 or sha384, a colon, and PCRs 0 to 15 ascending: sha256:0,1,2,7',
    );
  for (const [flag, names] of [
    ['--front-names', config.frontNames],
    ['--release-namespace', [config.releaseNamespace]],
    ['--trust-domain', [config.trustDomain]],
    ['--enclave-domain', [config.enclaveDomain]],
  ] as const) {
    const wrong = names.find((name) => !DNS_NAME.test(name) || name.length > 253);
    if (wrong !== undefined)
      throw new ConfigError(`${flag}: ${JSON.stringify(wrong)} is no DNS name in lower case`);
  }
  const readEndorsements = () => ({
    roots: readEndorsementRoots(config.ekRootsDir),
    list:
      config.ekAllowList === undefined ? new Map<string, never>() : readEndorsementList(config.ekAllowList),
  });
  try {
    readEndorsements();
  } catch (error) {
    throw new ConfigError(explain(error));
  }
  return { ...config, pcrSelection, readEndorsements };
}
