import type { Kube, WatchHandle } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  type CertificateSigningRequest,
} from '../../platform/kube/resources.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import { issuerOf } from '../evaluate/request.ts';
import { type ApproverOptions, approveOrDeny } from './approver.ts';
import { cleanUp, deletionTime } from './cleaner.ts';
import { stateOf } from './request-state.ts';
import { type SignerOptions, signApproved } from './signer.ts';
import { createWorkQueue } from './work-queue.ts';

export interface ControllerOptions extends ApproverOptions, SignerOptions {
  readonly kube: Kube;
  readonly log: Logger;
  readonly signal: AbortSignal;
  onCleaned(count: number): void;
  onRetry(loop: 'approve' | 'sign' | 'clean', error: unknown): void;
  onLength(loop: 'approve' | 'sign', length: number): void;
}

const CONCURRENCY = 8;
const LONGEST_REST_MS = 10_000;

export interface Controller {
  readonly watch: WatchHandle<CertificateSigningRequest>;
  /** Resolves after the signal, when all loops have ended. */
  readonly ended: Promise<void>;
}

/** Three loops over one watch, each minding one state of a request: approve or deny, sign, clean up. */
export function startController(options: ControllerOptions): Controller {
  const { kube, log, signal } = options;
  const find = (name: string): CertificateSigningRequest | undefined => watch.get({ name });

  const loop = (
    name: 'approve' | 'sign',
    state: 'new' | 'approved',
    act: (object: CertificateSigningRequest) => Promise<void>,
  ) =>
    createWorkQueue({
      concurrency: CONCURRENCY,
      signal,
      work: async (key) => {
        const object = find(key);
        // What the queue remembers is a name only; what counts is the newest that we know of it.
        if (object !== undefined && stateOf(object) === state) await act(object);
      },
      onRetry: (key, error) => {
        // A conflict is no trouble: the newer object comes with the watch.
        const fields = { request: key, loop: name, reason: explain(error) };
        if (isKubeError(error, 'Conflict')) log.debug(fields, 'the request changed meanwhile');
        else if (!isKubeError(error, 'NotFound')) log.warn(fields, 'trying again');
        options.onRetry(name, error);
      },
      onLength: (length) => options.onLength(name, length),
    });
  const approving = loop('approve', 'new', (object) => approveOrDeny(options, object));
  const signing = loop('sign', 'approved', (object) => signApproved(options, object));

  const route = (object: CertificateSigningRequest): void => {
    const name = object.metadata?.name;
    if (name === undefined || issuerOf(object.spec.signerName) === undefined) return;
    const state = stateOf(object);
    if (state === 'new') approving.add(name);
    else if (state === 'approved') signing.add(name);
  };
  const watch: WatchHandle<CertificateSigningRequest> = kube.watch(CERTIFICATE_SIGNING_REQUESTS, {
    signal,
    onAdd: route,
    onUpdate: route,
    onTrouble: (error) => log.warn({ reason: explain(error) }, 'the watch of certificate requests broke'),
  });

  const cleaning = async (): Promise<void> => {
    await watch.synced;
    while (!signal.aborted) {
      const ours = watch.list().filter((object) => issuerOf(object.spec.signerName) !== undefined);
      try {
        options.onCleaned(await cleanUp(kube, ours, options.now()));
      } catch (error) {
        options.onRetry('clean', error);
      }
      const next = Math.min(...ours.map(deletionTime).filter((time) => time > options.now()));
      await sleep(Math.min(Math.max(next - options.now(), 1000), LONGEST_REST_MS), signal);
    }
  };
  return {
    watch,
    ended: Promise.all([approving.ended, signing.ended, cleaning(), watch.ended]).then(() => {}),
  };
}
