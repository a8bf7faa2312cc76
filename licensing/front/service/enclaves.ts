import type { Handlers } from '../../../platform/rpc/service.ts';
import type { LicensingServiceService } from '../../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import type { FrontWorld } from '../front-world.ts';
import { authenticate, countWork } from './authenticate.ts';
import { enclaveMessage } from './enclave-message.ts';
import { mustBeReady, ownEnclave } from './own-enclave.ts';
import { decodePageToken, encodePageToken } from './page-token.ts';
import { RequestChecks } from './request-checks.ts';
import { viaLauncher } from './via-launcher.ts';

type Enclaves = Pick<Handlers<typeof LicensingServiceService>, 'getEnclave' | 'listEnclaves' | 'stopEnclave'>;

const DEFAULT_PAGE = 50;
const LARGEST_PAGE = 100;
/** Less than callers usually wait for an answer; what takes longer is STOPPING in it, and goes on. */
const STOP_WAIT_MS = 25_000;

export function enclaveHandlers(world: FrontWorld): Enclaves {
  return {
    async getEnclave({ id, nonce }, call) {
      const user = await authenticate(world, call);
      const checks = new RequestChecks();
      checks.enclave('id', id);
      if (nonce.length > 0) checks.nonce(nonce);
      checks.done();
      const record = await ownEnclave(world, user, id);
      await world.launches.attend(id);
      if (nonce.length === 0) return { enclave: enclaveMessage(record), bundle: undefined };
      mustBeReady(record);
      countWork(world, user);
      const options = { signal: call.signal, requestId: call.requestId };
      const { bundle } = await viaLauncher(world.launcher.evidence({ enclave: id, nonce }, options));
      return { enclave: enclaveMessage(record), bundle };
    },

    async listEnclaves({ pageSize, pageToken }, call) {
      const user = await authenticate(world, call);
      const checks = new RequestChecks();
      if (pageSize < 0 || pageSize > LARGEST_PAGE)
        checks.wrong('page_size', `must be 1 to ${LARGEST_PAGE}, or 0 for ${DEFAULT_PAGE}`);
      const after = pageToken === '' ? undefined : decodePageToken(pageToken);
      if (pageToken !== '' && after === undefined)
        checks.wrong('page_token', 'must be the next_page_token of an earlier answer');
      checks.done();
      const limit = pageSize === 0 ? DEFAULT_PAGE : pageSize;
      // One more than asked for says whether there is a next page.
      const records = await world.store.listEnclaves(user, { limit: limit + 1, ...(after && { after }) });
      const page = records.slice(0, limit);
      const last = records.length > limit ? page.at(-1) : undefined;
      return {
        enclaves: page.map(enclaveMessage),
        nextPageToken: last === undefined ? '' : encodePageToken(last),
      };
    },

    async stopEnclave({ id }, call) {
      const user = await authenticate(world, call);
      const checks = new RequestChecks();
      checks.enclave('id', id);
      checks.done();
      const record = await ownEnclave(world, user, id);
      const now = await world.launches.stop(record, STOP_WAIT_MS, call.signal);
      call.log.info({ enclave: id, state: now.state }, 'stop asked for');
      return { enclave: enclaveMessage(now) };
    },
  };
}
