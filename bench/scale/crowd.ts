/** Users in front of the server: the real client library, many of them in one process. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  attest,
  connectFront,
  type FrontClient,
  fetchEvidence,
  generateKey,
  keySha256,
  launchEnclave,
  readPinnedRoots,
  readPolicyFile,
  refreshTrust,
  TrustStore,
} from '../../client/exports/client.ts';
import { expectedSpecs } from '../../client/library/policy/expected-spec.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { systemClock, unixSeconds } from '../../platform/run/clock.ts';
import { PROFILE } from '../../tools/demo/operator.ts';
import type { Settings } from '../../tools/demo/people.ts';

/** An enclave that was launched and is ready. */
export interface RunningEnclave {
  readonly id: string;
  readonly serverName: string;
  readonly host: string;
  readonly port: number;
  /** Milliseconds from the call to the result. */
  readonly took: number;
}

export interface Crowd {
  /** The next user, in turn, launches. @param verified the bundle goes through the client's whole verification */
  launch(verified: boolean): Promise<RunningEnclave>;
  /** Fresh evidence from the enclave itself over a nonce of our own. */
  evidence(enclave: RunningEnclave, verified: boolean): Promise<void>;
  stop(enclave: RunningEnclave): Promise<void>;
  /** Size of the trust document that everybody is sent, its signature aside. */
  trustBytes(): Promise<number>;
  close(): void;
}

const TIMEOUT_MS = 120_000;

interface User {
  readonly client: FrontClient;
  readonly token: string;
}

/** What a bundle is compared with. */
interface Asked extends Pick<Owned, 'owner' | 'profileSpec'> {
  readonly nonce: Uint8Array;
  /** The certificate that the peer showed. */
  readonly live?: Uint8Array;
}

interface Owned extends RunningEnclave {
  readonly user: User;
  readonly owner: string;
  readonly profileSpec: unknown;
}

export async function signUpCrowd(settings: Settings, stateFolder: string, count: number): Promise<Crowd> {
  const signal = new AbortController().signal;
  const [host = '', port = ''] = settings.ENCLAVECTL_SERVER.split(':');
  const pinned = readPinnedRoots(readFileSync(settings.ENCLAVECTL_CA, 'utf8'), settings.ENCLAVECTL_CA);
  const policy = readPolicyFile(settings.ENCLAVECTL_POLICY);
  const store = new TrustStore(stateFolder, pinned.sha256);
  const users: User[] = [];
  for (let number = 0; number < count; number += 1) {
    const client = connectFront({ host, port: Number(port) }, pinned.roots.system);
    const account = { user: `user-${number}`, password: randomBytes(12).toString('base64url') };
    await client.signUp(account, { signal, timeoutMs: TIMEOUT_MS });
    users.push({ client, token: (await client.login(account, { signal, timeoutMs: TIMEOUT_MS })).token });
  }
  let turn = 0;
  const owned = new Map<string, Owned>();

  const verify = async (
    { client }: User,
    enclave: string,
    bundle: Bundle,
    { owner, profileSpec, nonce, live }: Asked,
  ): Promise<void> => {
    const now = unixSeconds(systemClock);
    const { trust } = await refreshTrust(client, pinned, store, signal, now);
    const specs = expectedSpecs(policy, {
      enclave,
      ownerKeySha256: owner,
      profileSpec,
      rootsTexts: trust.rootsTexts,
      serverName: bundle.serverName,
    });
    if (!specs.ok) throw new Error(specs.message);
    const verdict = attest(bundle, {
      policy,
      trust,
      nonce,
      now,
      ownerKeySha256: owner,
      enclave,
      specSha256: specs.value,
      ...(live && { liveCertificate: live }),
    });
    if (!verdict.ok) throw new Error(`evidence of ${enclave} refused: ${verdict.code}`);
  };

  return {
    launch: async (verified) => {
      const user = users[turn % users.length];
      turn += 1;
      if (user === undefined) throw new Error('a crowd of nobody');
      const key = generateKey();
      const [nonce, launchId] = [randomBytes(32), randomBytes(16)].map((each) => new Uint8Array(each));
      if (nonce === undefined || launchId === undefined) throw new Error('no randomness');
      const begun = performance.now();
      const launched = await launchEnclave({
        ...user,
        profile: PROFILE,
        key,
        nonce,
        launchId,
        signal,
        timeoutMs: TIMEOUT_MS,
      });
      const took = performance.now() - begun;
      const { enclave, bundle } = launched;
      const owner = keySha256(key);
      const profileSpec: unknown = JSON.parse(launched.profileSpec ?? 'null');
      if (verified) await verify(user, enclave.id, bundle, { owner, profileSpec, nonce });
      const [host = '', port = ''] = bundle.endpoint.split(':');
      const { serverName } = bundle;
      const running = { id: enclave.id, serverName, host, port: Number(port), took };
      owned.set(running.id, { ...running, user, owner, profileSpec });
      return running;
    },
    evidence: async (enclave, verified) => {
      const own = owned.get(enclave.id);
      if (own === undefined) throw new Error(`nobody’s enclave: ${enclave.id}`);
      const nonce = new Uint8Array(randomBytes(32));
      const { bundle, liveCertificate } = await fetchEvidence(enclave, enclave.serverName, nonce, signal);
      if (verified) await verify(own.user, enclave.id, bundle, { ...own, nonce, live: liveCertificate });
    },
    stop: async ({ id }) => {
      const own = owned.get(id);
      await own?.user.client.stopEnclave({ id }, { token: own.user.token, signal, timeoutMs: TIMEOUT_MS });
      owned.delete(id);
    },
    trustBytes: async () => {
      const answer = await users[0]?.client.getTrustDocument({}, { signal, timeoutMs: TIMEOUT_MS });
      return answer?.trustDocument?.document.length ?? 0;
    },
    close: () => {
      for (const { client } of users) client.close();
    },
  };
}
