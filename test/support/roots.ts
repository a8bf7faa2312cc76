import type { Roots } from '../../formats/evidence/roots.ts';
import { createTestAuthority, type TestAuthority } from './test-authority.ts';

export type TestAuthorities = { readonly [K in keyof Roots]: TestAuthority };

/** An authority of each role. */
export function testAuthorities(): TestAuthorities {
  return {
    system: createTestAuthority('system'),
    enclaves: createTestAuthority('enclaves'),
    users: createTestAuthority('users'),
    'attestation-keys': createTestAuthority('attestation-keys'),
  };
}

export function rootsOf(authorities: TestAuthorities): Roots {
  return {
    system: [authorities.system.root],
    enclaves: [authorities.enclaves.root],
    users: [authorities.users.root],
    'attestation-keys': [authorities['attestation-keys'].root],
  };
}
