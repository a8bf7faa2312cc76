import type { RpcCall } from '../../../platform/rpc/rpc-call.ts';
import type { Handlers } from '../../../platform/rpc/service.ts';
import type { LicensingServiceService } from '../../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import { StoreAway } from '../../store/store-away.ts';
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
  const accounts = accountHandlers(world);
  const enclaves = enclaveHandlers(world);
  return {
    signUp: withStore(accounts.signUp),
    login: withStore(accounts.login),
    getEnclave: withStore(enclaves.getEnclave),
    listEnclaves: withStore(enclaves.listEnclaves),
    stopEnclave: withStore(enclaves.stopEnclave),
    launch: async function* (request, call) {
      try {
        yield* launch(world, request, call);
      } catch (error) {
        throw refusalOf(error, call);
      }
    },
    issueUserCertificate: withStore((request, call) => issueUserCertificate(world, request, call)),
    revokeGrant: withStore((request, call) => revokeGrant(world, request, call)),
    issueEnclaveToken: withStore((request, call) => issueEnclaveToken(world, request, call)),
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

function withStore<Q, R>(handler: (request: Q, call: RpcCall) => Promise<R>) {
  return async (request: Q, call: RpcCall): Promise<R> => {
    try {
      return await handler(request, call);
    } catch (error) {
      throw refusalOf(error, call);
    }
  };
}

/** A store that is away is no defect, and its reason is the operator's to read, not the caller's. */
function refusalOf(error: unknown, call: RpcCall): unknown {
  if (!(error instanceof StoreAway)) return error;
  call.log.warn({ error: error.message }, 'the store cannot be used');
  return frontRefusal(
    {
      code: 'store-away',
      message: 'the licensing server’s database cannot be used at this moment',
      remedy: 'try again in a few seconds; a launch with the same id',
    },
    { retryAfterMs: 2000 },
  );
}
