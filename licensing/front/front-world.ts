import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { RateLimiter } from '../../platform/limits/rate-limiter.ts';
import type { Clock } from '../../platform/run/clock.ts';
import type { SignedTrustDocument } from '../../proto/gen/enclave_licensing/evidence/v1/trust_document.ts';
import type { Store } from '../store/store.ts';
import type { FrontMetrics } from './front-metrics.ts';
import type { Launcher } from './launches/launch-world.ts';
import type { Launches } from './launches/launches.ts';
import type { Passwords } from './passwords/passwords.ts';
import type { UserRefusal } from './service/judge-user.ts';
import type { Tokens } from './tokens/tokens.ts';

export interface EnclaveTokenRules {
  readonly lifetimeMs: number;
  /** Domain of the enclaves' names. */
  readonly domain: string;
  /** Namespaces whose self-deployed enclaves every user may have a token for. */
  readonly namespaces: readonly string[];
}

/** What front's calls are served with. */
export interface FrontWorld {
  readonly store: Store;
  readonly passwords: Passwords;
  readonly tokens: Tokens;
  readonly launches: Launches;
  readonly launcher: Launcher;
  readonly crypto: Crypto;
  readonly clock: Clock;
  readonly metrics: FrontMetrics;
  /** By user name: counts failures only. */
  readonly loginsByUser: RateLimiter;
  /** By address: logins and sign-ups. */
  readonly loginsByPeer: RateLimiter;
  /** By user name: calls that make the cluster work (launches, certificates, fresh evidence). */
  readonly workByUser: RateLimiter;
  /** Seats of a new user's licence. */
  readonly seats: number;
  /** What tokens for enclaves are made by. */
  readonly enclaveTokens: EnclaveTokenRules;
  /** The newest trust document, as it was signed. */
  trustDocument(): SignedTrustDocument | undefined;
  /** Why that document, its age included, lets the user in nowhere. */
  judgeUser(user: string): UserRefusal | undefined;
}
