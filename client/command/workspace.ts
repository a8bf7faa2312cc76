import { equalLists } from '../../formats/bytes/bytes.ts';
import { RpcError } from '../../platform/rpc/rpc-error.ts';
import { Failure } from '../failure.ts';
import { connectFront, type FrontClient, fetchShownDocument } from '../library/front/front-client.ts';
import type { PinnedRoots } from '../library/trust/pinned-roots.ts';
import { heldTrust, refreshTrust, type Trust, takeShown } from '../library/trust/trust.ts';
import { EnclaveStore } from '../state/enclave-store.ts';
import { LaunchStore } from '../state/launch-store.ts';
import { SessionStore, type StoredSession } from '../state/session-store.ts';
import { TrustStore } from '../state/trust-store.ts';
import type { Settings } from './settings.ts';
import type { Output } from './terminal/output.ts';

/** What every command works with. */
export interface Workspace {
  readonly settings: Settings;
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WritableStream;
  /** The person's home folder. */
  readonly home: string;
  /** Unix seconds. */
  now(): number;
}

export function sessions({ settings }: Workspace): SessionStore {
  return new SessionStore(settings.folders.state);
}

export function enclaves({ settings }: Workspace): EnclaveStore {
  return new EnclaveStore(settings.folders.state);
}

export function launches({ settings }: Workspace): LaunchStore {
  return new LaunchStore(settings.folders.state);
}

export function trustStore({ settings }: Workspace, pinned: PinnedRoots): TrustStore {
  return new TrustStore(settings.folders.state, pinned.sha256);
}

/** The newest trust; what is new about it is told. @throws Failure when the server shows a CA that nobody vouched for */
export async function newestTrust(
  workspace: Workspace,
  client: FrontClient,
  pinned: PinnedRoots,
): Promise<Trust> {
  const { output, signal } = workspace;
  const store = trustStore(workspace, pinned);
  const { trust, notices } = await refreshTrust(client, pinned, store, signal, workspace.now());
  for (const each of notices) output.notice(each);
  return trust;
}

/** Runs with a client of front, closed afterwards. It is judged by the roots that are held: the pinned ones, or newer ones that they vouched for. */
export async function withFront<T>(
  workspace: Workspace,
  use: (client: FrontClient, pinned: PinnedRoots) => Promise<T>,
): Promise<T> {
  const { settings } = workspace;
  const pinned = settings.pinned();
  const { roots } = heldTrust(pinned, trustStore(workspace, pinned));
  const client = connectFront(settings.server(), roots.system, settings.serverName());
  try {
    return await use(client, pinned);
  } catch (error) {
    if (error instanceof RpcError && error.status === 'UNAVAILABLE' && !workspace.signal.aborted)
      await explainStranger(workspace, pinned);
    throw error;
  } finally {
    client.close();
  }
}

/**
 * When a server is there, and only not under the roots that are held: perhaps its CA was renewed while this client was away. @throws Failure when that is so, or when nobody vouched for
 * its CA
 */
async function explainStranger(workspace: Workspace, pinned: PinnedRoots): Promise<void> {
  const { settings, signal } = workspace;
  const store = trustStore(workspace, pinned);
  const { roots } = heldTrust(pinned, store);
  const shown = await fetchShownDocument(settings.server(), signal, 3_000).catch(() => undefined);
  if (shown === undefined) return;
  const { trust } = await takeShown(shown, pinned, store, workspace.now());
  if (equalLists(trust.roots.system, roots.system)) return;
  throw new Failure(
    'unreachable',
    'ca-renewed',
    'the server was not under the roots that were held; its CA was renewed, and a root held here vouched for the new one',
    'it is taken over: try again',
  );
}

/** The session for this server. @throws Failure when there is none, it is over, or it was opened under other roots */
export function requireSession(workspace: Workspace, pinned: PinnedRoots): StoredSession {
  const session = sessions(workspace).load();
  const remedy = 'enclavectl login USER';
  const no = (code: string, message: string): Failure => new Failure('not-allowed', code, message, remedy);
  if (session === undefined) throw no('not-logged-in', 'you are not logged in');
  if (session.server !== workspace.settings.serverText() || session.rootsSha256 !== pinned.sha256)
    throw no('not-logged-in', `your session is for ${session.server}, or was opened under other roots`);
  if (session.expiresAt <= workspace.now()) throw no('session-expired', 'your session has expired');
  return session;
}
