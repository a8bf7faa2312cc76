import { parseRoots, type Roots } from '../formats/evidence/roots.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import type { AccessRules } from './access/access.ts';
import type { SidecarConfig } from './options.ts';
import { parseUpstreamAddress, type UpstreamAddress } from './proxy/upstream.ts';

export interface SidecarFacts {
  readonly roots: Roots;
  readonly rules: AccessRules;
  /** The DNS name in the enclave's certificate. */
  readonly serverName: string;
  readonly upstream: UpstreamAddress;
}

/**
 * What the configuration says, read once. Whatever could let the wrong one in, refuses to start.
 * @throws {ConfigError}
 */
export function readSettings(config: SidecarConfig): SidecarFacts {
  const roots = parseRoots(config.roots);
  if (!roots.ok) throw new ConfigError(`--roots: ${roots.message}`);
  const { ownerKey, auth, mode, enclave, enclaveDomain, podUid } = config;
  if (ownerKey !== undefined && !/^[0-9a-f]{64}$/.test(ownerKey))
    throw new ConfigError('--owner-key must be 64 lower-case hex digits');
  if (ownerKey === undefined && auth !== 'jwt')
    throw new ConfigError('--owner-key is required with --auth mtls');
  if (auth === 'jwt' && mode !== 'http') throw new ConfigError('--auth jwt needs --mode http');
  return {
    roots: roots.value,
    rules: { enclave, ownerKeySha256: ownerKey, trustLimit: Math.floor(config.trustLimit / 1000), podUid },
    serverName: `${enclave}.${enclaveDomain}`,
    upstream: parseUpstreamAddress(config.upstream, config.bind),
  };
}
