import type { Handlers } from '../../../platform/rpc/service.ts';
import type { LicensingServiceService } from '../../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import { frontRefusal } from '../front-refusal.ts';
import type { FrontWorld } from '../front-world.ts';
import { accountHandlers } from './accounts.ts';
import { issueEnclaveToken } from './enclave-tokens.ts';
import { enclaveHandlers } from './enclaves.ts';
import { launch } from './launch.ts';
import { revokeGrant } from './revoke-grant.ts';
import { issueUserCertificate } from './user-certificates.ts';

/** The public API. */
export function licensingHandlers(world: FrontWorld): Handlers<typeof LicensingServiceService> {
  return {
    ...accountHandlers(world),
    ...enclaveHandlers(world),
    launch: (request, call) => launch(world, request, call),
    issueUserCertificate: (request, call) => issueUserCertificate(world, request, call),
    revokeGrant: (request, call) => revokeGrant(world, request, call),
    issueEnclaveToken: (request, call) => issueEnclaveToken(world, request, call),
    async getTrustDocument() {
      const trustDocument = world.trustDocument();
      if (trustDocument === undefined)
        throw frontRefusal(
          {
            code: 'trust-document-missing',
            message: 'front has no trust document yet',
            remedy: 'try again in a few seconds',
          },
          { retryAfterMs: 2000 },
        );
      return { trustDocument };
    },
  };
}
