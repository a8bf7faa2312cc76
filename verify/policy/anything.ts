import type { Policy } from './policy.ts';

/**
 * Accepts whatever holds in itself: signatures, chains to the roots that are held, bindings. For those who judge the
 * values by other means, never for a connection: it says nothing of which pod answers, on which machine.
 */
export const ANYTHING: Policy = {
  allowEmulatedTpm: true,
  eks: 'any',
  pcrs: 'any',
  roots: 'any',
  namespaces: 'any',
  serviceAccounts: 'any',
  enclaves: 'any',
  images: 'any',
  specSha256: 'any',
  modes: 'any',
  auth: 'any',
  upstream: 'any',
  ownerKeys: 'any',
  // The longest that schema.json allows.
  maxAge: 86_400,
};
