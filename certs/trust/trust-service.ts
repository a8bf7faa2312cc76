import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import type { SignedTrustDocument } from '../../formats/evidence/trust-document.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import type { RpcCall } from '../../platform/rpc/rpc-call.ts';
import { RpcError } from '../../platform/rpc/rpc-error.ts';
import type { Handlers } from '../../platform/rpc/service.ts';
import type { Live } from '../../platform/run/live.ts';
import { sleep } from '../../platform/run/sleep.ts';
import type { ComponentPeer } from '../../platform/tls/component-peer.ts';
import type { RevokeRequest, WatchResponse } from '../../proto/gen/enclave_licensing/trust/v1/trust.ts';
import type { TrustServiceService } from '../../proto/gen/enclave_licensing/trust/v1/trust_service.ts';
import { refuseCerts } from '../code.ts';
import { refuseCall } from '../refuse-call.ts';
import { identifyCaller } from './caller.ts';
import { decideRevocation, type Revocation } from './revoke.ts';
import { parseTokenKeys } from './token-keys.ts';
import type { Published, TrustPublisher } from './trust-publisher.ts';
import { withRevocation } from './trust-state.ts';

export interface TrustServiceOptions {
  readonly crypto: Crypto;
  readonly publisher: TrustPublisher;
  readonly roots: Roots;
  /** What the API server shows under these names. */
  pod(namespace: string, name: string): Promise<Pod | undefined>;
  /** Owner keys of an enclave's pods that have not ended. */
  ownerKeys(enclave: string): Promise<readonly string[]>;
  /** Ids of launched enclaves that have such a pod. */
  launchedEnclaves(): Promise<ReadonlySet<string>>;
  /** Unix seconds. */
  now(): number;
  /** Whether this process still leads: only the leader's document is the newest. */
  holds(): boolean;
  /** A stream's rest after each document, in milliseconds (default 500). */
  readonly restMs?: number;
}

/** Each goes to every sidecar: when many pods end at once, what is revoked meanwhile goes together. */
const REST_MS = 500;

/** `trust.v1`: the document to every component, changes of it to those whose business they are. */
export function trustHandlers(options: TrustServiceOptions): Handlers<typeof TrustServiceService> {
  const { crypto, publisher, roots, restMs = REST_MS } = options;
  const version = (): bigint => BigInt(publisher.published.current().document.version);
  return {
    watch: async function* (request, call) {
      callerOf(options, call);
      for await (const signed of documentsFrom(publisher.published, request.version, call.signal, restMs)) {
        // The certificate may have ended since the stream began; its owner has another, and watches with that.
        callerOf(options, call);
        const response: WatchResponse = { trustDocument: signed };
        yield response;
      }
    },
    revoke: async (request, call) => {
      const caller = callerOf(options, call);
      const pod = await podOf(options, request);
      const decision = decideRevocation(caller, request, { crypto, roots, pod, now: options.now() });
      if (!decision.ok) throw refuseCall(decision);
      const { kind, entry } = decision.value;
      // Anybody can make a key and sign with it: only what an enclave carries takes room in a document that goes to everybody.
      if (kind === 'grants' && !(await options.ownerKeys(entry.enclave)).includes(entry.ownerKeySha256))
        throw refuseCall(
          refuseCerts(
            'revocation-foreign',
            `no pod of enclave ${JSON.stringify(entry.enclave)} that has not ended has this owner key`,
            'there is nothing to revoke while the enclave does not run: send it again when it does',
          ),
        );
      let full = !(await add(publisher, decision.value));
      if (full && kind === 'grants') {
        // What was launched and is gone comes back under another id.
        const launched = await options.launchedEnclaves();
        await publisher.change(({ revoked }) => {
          const grants = revoked.grants.filter(
            ({ enclave }) => enclave.includes('.') || launched.has(enclave),
          );
          return grants.length < revoked.grants.length ? { revoked: { ...revoked, grants } } : undefined;
        });
        full = !(await add(publisher, decision.value));
      }
      if (full)
        throw refuseCall(
          refuseCerts(
            'revocations-full',
            `there is no room for another of ${kind}`,
            'wait until some have ended; an owner key has room for 64 grants',
          ),
        );
      call.log.info({ by: caller.component, node: caller.node, kind, ...entry }, 'revoked');
      return { version: version() };
    },
    setTokenKeys: async (request, call) => {
      const caller = callerOf(options, call);
      if (caller.component !== 'front')
        throw refuseCall(
          refuseCerts('caller-role', `${caller.component} issues no tokens`, 'only front does'),
        );
      const keys = parseTokenKeys(request.jwks);
      if (!keys.ok) throw refuseCall(keys);
      await publisher.change((state) =>
        JSON.stringify(state.tokenKeys) === JSON.stringify(keys.value)
          ? undefined
          : { tokenKeys: keys.value },
      );
      call.log.info({ keys: keys.value.map(({ kid }) => kid) }, 'token keys set');
      return { version: version() };
    },
  };
}

/** False when there is no room for it. */
async function add(publisher: TrustPublisher, { kind, entry }: Revocation): Promise<boolean> {
  let full = false;
  await publisher.change((state) => {
    const revoked = withRevocation(state.revoked, kind, entry);
    full = revoked === undefined;
    return revoked === undefined || revoked === state.revoked ? undefined : { revoked };
  });
  return !full;
}

/** An agent that was restarted holds no certificate of the pod: what it says of the pod is looked up. */
async function podOf(options: TrustServiceOptions, { subject }: RevokeRequest): Promise<Pod | undefined> {
  if (subject?.$case !== 'certificate') return undefined;
  const { namespace, pod } = subject.value;
  return namespace === '' || pod === '' ? undefined : options.pod(namespace, pod);
}

function callerOf({ crypto, roots, now, holds }: TrustServiceOptions, call: RpcCall): ComponentPeer {
  if (!holds()) throw new RpcError('UNAVAILABLE', 'another certificate service may lead by now');
  const caller = identifyCaller(crypto, call.peer.certificate, roots, now());
  if (!caller.ok) throw refuseCall(caller);
  return caller.value;
}

/** The newest document unless the caller holds it, then each newer one, with a rest after each. A slow reader misses those in between, never the newest. */
async function* documentsFrom(
  published: Live<Published>,
  held: bigint,
  signal: AbortSignal,
  restMs: number,
): AsyncGenerator<SignedTrustDocument> {
  let sent = held;
  let wake: () => void = () => {};
  const stopListening = published.onChange(() => wake());
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      const { document, signed } = published.current();
      if (BigInt(document.version) > sent) {
        sent = BigInt(document.version);
        yield signed;
        await sleep(restMs, signal);
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (signal.aborted || BigInt(published.current().document.version) > sent) resolve();
      });
    }
  } finally {
    stopListening();
    signal.removeEventListener('abort', onAbort);
  }
}
