import { equal } from '../../../formats/bytes/bytes.ts';
import type { RpcCall } from '../../../platform/rpc/rpc-call.ts';
import type { LaunchResult as LauncherResult } from '../../../proto/gen/enclave_licensing/launcher/v1/launcher.ts';
import {
  type LaunchRequest,
  type LaunchResponse,
  Phase,
} from '../../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { isLaunchCode, type LaunchCode } from '../../codes/launch-code.ts';
import { launchRefusal } from '../../codes/launch-status.ts';
import { phaseName } from '../../codes/phase-name.ts';
import type { EnclaveRecord } from '../../store/enclave-record.ts';
import { frontRefusal } from '../front-refusal.ts';
import type { FrontWorld } from '../front-world.ts';
import { authenticate, countWork } from './authenticate.ts';
import { enclaveId } from './enclave-id.ts';
import { enclaveMessage, progressMessage } from './enclave-message.ts';
import { requestKeySha256 } from './owner-request.ts';
import { RequestChecks } from './request-checks.ts';
import { viaLauncher } from './via-launcher.ts';

/**
 * Takes a seat, tells the phases, and at last hands out bundle and user certificate. The launch itself runs beside this call: a client
 * that goes away may come back with the same launch id, also with another nonce, and joins.
 */
export async function* launch(
  world: FrontWorld,
  request: LaunchRequest,
  call: RpcCall,
): AsyncGenerator<LaunchResponse> {
  const user = await authenticate(world, call);
  const checks = new RequestChecks();
  checks.profile(request.profile);
  checks.nonce(request.nonce);
  checks.launchId(request.launchId);
  const ownerKeySha256 = requestKeySha256(world.crypto, request.certificateRequest, checks);
  checks.done();
  countWork(world, user);
  const id = enclaveId(user, request.launchId);
  const { profile, nonce, certificateRequest, launchId } = request;
  const wish = { id, user, launchId, profile, nonce, certificateRequest, ownerKeySha256 };
  const joined = await world.launches.launch(wish, call.signal);
  if (!joined.ok) throw frontRefusal(joined);
  const { record, events } = joined.value;
  yield progressMessage(id, record.phase, opening(record), record.updatedAt);
  for await (const event of events) {
    if (event.kind === 'progress') {
      yield progressMessage(id, event.phase, event.message, event.at);
      continue;
    }
    if (event.record.state !== 'ready') throw failureOf(event.record);
    yield await resultFor(world, request, event.record, event.result, call);
    // The generator goes on only when the answer was taken.
    await world.launches.delivered(id);
    return;
  }
  // Nobody listens any more.
  if (call.signal.aborted) return;
  throw frontRefusal(
    {
      code: 'stopping',
      message: 'front is being restarted; the launch goes on',
      remedy: 'launch again with the same id',
    },
    { retryAfterMs: 1000 },
  );
}

function opening({ phase, state }: EnclaveRecord): string {
  if (phase <= Phase.PHASE_SEAT) return 'a seat of the licence is taken';
  return state === 'launching' ? `joined; reached so far: ${phaseName(phase)}` : `joined; it is ${state}`;
}

async function resultFor(
  { launcher }: FrontWorld,
  request: LaunchRequest,
  record: EnclaveRecord,
  made: LauncherResult | undefined,
  call: RpcCall,
): Promise<LaunchResponse> {
  const options = { signal: call.signal, requestId: record.id };
  const { nonce, certificateRequest } = request;
  const isOurs =
    made !== undefined && equal(nonce, record.nonce) && equal(certificateRequest, record.certificateRequest);
  const bundle = isOurs
    ? made.bundle
    : (await viaLauncher(launcher.evidence({ enclave: record.id, nonce }, options))).bundle;
  const userCertificateChain = isOurs
    ? made.userCertificateChain
    : (
        await viaLauncher(
          launcher.issueUserCertificate(
            {
              enclave: record.id,
              user: record.user,
              certificateRequest,
              grant: NOTHING,
              grantSignature: NOTHING,
            },
            options,
          ),
        )
      ).certificateChain;
  const profile = { name: record.profile, specJson: record.profileSpec };
  return {
    event: {
      $case: 'result',
      value: { enclave: enclaveMessage(record), bundle, userCertificateChain, profile },
    },
  };
}

const NOTHING = new Uint8Array(0);

function failureOf(record: EnclaveRecord): Error {
  if (record.state === 'stopped' || record.state === 'stopping')
    return launchRefusal('launch-stopped', `enclave ${record.id} was stopped`);
  const code: LaunchCode = isLaunchCode(record.reasonCode) ? record.reasonCode : 'pod-ended';
  return launchRefusal(code, record.reason);
}
