import type { Bundle } from '../../../formats/evidence/bundle.ts';
import type { KeyPair } from '../../../platform/identity/key-pair.ts';
import { RpcError, RpcRefusal } from '../../../platform/rpc/rpc-error.ts';
import { createBackoff } from '../../../platform/run/backoff.ts';
import { sleep } from '../../../platform/run/sleep.ts';
import type { Enclave, LaunchProgress } from '../../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { Failure } from '../../failure.ts';
import type { FrontClient } from './front-client.ts';
import { userRequest } from './owner-key.ts';

/** What is asked of the server, and how long. */
export interface Launch {
  readonly client: FrontClient;
  readonly token: string;
  readonly profile: string;
  readonly key: KeyPair;
  /** 16 to 64 random bytes: the verifier's challenge. */
  readonly nonce: Uint8Array;
  /** 16 bytes; the same again joins the same launch. */
  readonly launchId: Uint8Array;
  readonly signal: AbortSignal;
  /** Milliseconds in all, retries included. */
  readonly timeoutMs: number;
  onProgress?(progress: LaunchProgress): void;
  /** The server is away for the moment; we try again with the same id. */
  onRetry?(reason: string): void;
}

/** An enclave that is ready: nothing of its bundle is verified yet. */
export interface Launched {
  readonly enclave: Enclave;
  readonly bundle: Bundle;
  /** DER, leaf first. */
  readonly userCertificateChain: readonly Uint8Array[];
  readonly profileSpec?: string;
}

/**
 * Launches and waits. A server that goes away in between is tried again with the same launch id, which joins what was begun: a broken connection never makes a
 * second enclave.
 * @throws RpcRefusal with the launch's failure; RpcError or Failure when time is up
 */
export async function launchEnclave(launch: Launch): Promise<Launched> {
  const timeout = AbortSignal.timeout(launch.timeoutMs);
  const signal = AbortSignal.any([launch.signal, timeout]);
  const backoff = createBackoff(300, 5_000);
  let last: RpcError | undefined;
  for (;;) {
    try {
      return await attempt(launch, signal);
    } catch (error) {
      if (launch.signal.aborted) throw error;
      if (timeout.aborted) throw last ?? new RpcError('DEADLINE_EXCEEDED', 'the launch took too long');
      if (!(error instanceof RpcError) || error.status !== 'UNAVAILABLE') throw error;
      last = error;
      launch.onRetry?.(error.message);
      const told = error instanceof RpcRefusal ? error.details.retryAfterMs : undefined;
      if (told === undefined) await backoff.wait(signal);
      else await sleep(Math.min(told, 30_000), signal);
    }
  }
}

async function attempt(launch: Launch, signal: AbortSignal): Promise<Launched> {
  const { client, token, profile, nonce, launchId, key } = launch;
  const events = client.launch(
    {
      profile,
      nonce: Buffer.from(nonce),
      certificateRequest: Buffer.from(userRequest(key)),
      launchId: Buffer.from(launchId),
    },
    { token, signal },
  );
  for await (const { event } of events) {
    if (event?.$case === 'progress') launch.onProgress?.(event.value);
    if (event?.$case !== 'result') continue;
    const { enclave, bundle, userCertificateChain, profile: launched } = event.value;
    if (enclave === undefined || bundle === undefined) break;
    return { enclave, bundle, userCertificateChain, ...(launched && { profileSpec: launched.specJson }) };
  }
  throw new Failure(
    'fault',
    'launch-without-result',
    'the server ended the launch without a result',
    'try again',
  );
}
