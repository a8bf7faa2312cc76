import { afterEach, expect, test } from 'vitest';
import { encodeSignedTrustDocument } from '../../formats/evidence/signed-trust-document.ts';
import type { SignedTrustDocument, TrustDocument } from '../../formats/evidence/trust-document.ts';
import { POD_CHANGED } from '../../names/wire.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { type Backoff, createBackoff } from '../../platform/run/backoff.ts';
import { liveValue } from '../../platform/run/live.ts';
import { type AgentCalls, agentCalls } from '../../sidecar/agent/agent-calls.ts';
import { AgentError } from '../../sidecar/agent/agent-error.ts';
import { createAgentLink } from '../../sidecar/agent/agent-link.ts';
import { followTrust, type Trust } from '../../sidecar/trust/follow-trust.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';
import type { FakeAgent } from './fake-agent.ts';
import { agentFixture, tokenFile, undo, undoAll } from './sidecar-fixture.ts';
import { authorities, NODE, roots, signedTrust, trustDocument } from './trust-fixture.ts';

afterEach(undoAll);

/** The sidecar's follower, as it runs in a pod but for its pauses. */
function follower(agent: Pick<AgentCalls, 'trust'>, backoff = createBackoff(1, 5)) {
  const trust = liveValue<Trust>({ roots, document: undefined });
  const { log } = recordingLogger();
  const metrics = recordingMetrics();
  const abort = new AbortController();
  const { signal } = abort;
  const check = { fail: () => undefined };
  const calls = agent as AgentCalls;
  const done = followTrust({
    agent: calls,
    trust,
    crypto: nodeCrypto,
    podUid: 'own',
    check,
    log,
    metrics,
    signal,
    backoff,
  });
  return {
    trust,
    abort,
    done,
    refused: () => metrics.values.get('trust_documents_total{outcome="refused"}') ?? 0,
  };
}

/** With an agent that hands out what the test says, in order, and then nothing more. */
async function follow(offers: readonly (SignedTrustDocument | AgentError | undefined)[], backoff?: Backoff) {
  const asked: number[] = [];
  const following = follower(
    {
      trust: async (version) => {
        asked.push(version);
        const offer = offers[asked.length - 1];
        if (offer instanceof AgentError) throw offer;
        if (asked.length <= offers.length) return offer;
        following.abort.abort();
        return undefined;
      },
    },
    backoff,
  );
  await following.done;
  const { document, roots: held } = following.trust.current();
  return { document, version: document?.version, roots: held, refused: following.refused(), asked };
}

const [next, stranger] = [createTestAuthority('system'), createTestAuthority('system')];
const system = (...who: { root: Uint8Array }[]): Partial<TrustDocument> => ({
  roots: { ...roots, system: who.map(({ root }) => root) },
});

test('versions only grow: an older one, and the same with other content, are refused', async () => {
  const revoked = { certificates: [], users: [{ user: 'mallory' }], grants: [] };
  const { version, refused, asked } = await follow([
    signedTrust(trustDocument(5, { revoked })),
    signedTrust(trustDocument(5)),
    signedTrust(trustDocument(4)),
    signedTrust(trustDocument(6, { revoked })),
  ]);
  expect({ version, refused, asked }).toEqual({ version: 6, refused: 2, asked: [0, 5, 5, 5, 6] });
});

test('new roots come only from a root that is held, and an old one that was dropped brings none back', async () => {
  const {
    version,
    refused,
    roots: held,
  } = await follow([
    // Whoever signs for itself is nobody.
    signedTrust(trustDocument(2, system(stranger)), stranger),
    signedTrust(trustDocument(3, system(authorities.system, next))),
    signedTrust(trustDocument(4, system(next)), next),
    // The dropped one: its own, and one that would bring it back.
    signedTrust(trustDocument(5, system(authorities.system))),
    signedTrust(trustDocument(6, system(next, authorities.system))),
    signedTrust(trustDocument(7, system(next)), next),
  ]);
  expect({ version, refused }).toEqual({ version: 7, refused: 3 });
  expect(held.system).toEqual([next.root]);
});

test('not a byte of it may differ: signature, signer, document', async () => {
  const good = signedTrust(trustDocument(2));
  const flipped = (bytes: Uint8Array, at: number): Uint8Array<ArrayBuffer> => {
    const copy = new Uint8Array(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  const text = Buffer.from(good.document).toString();
  const other = (change: (text: string) => string): SignedTrustDocument => ({
    ...good,
    document: Buffer.from(change(text)),
  });
  const bad: SignedTrustDocument[] = [
    { ...good, signature: Buffer.from(flipped(good.signature, 20)) },
    { ...good, signature: Buffer.alloc(0) },
    { ...good, signer: Buffer.from(flipped(good.signer, 0)) },
    other((json) => json.replace('"version":2', '"version":9')),
    other((json) => json.replace('{', '{"version":9,')),
    other((json) => ` ${json}`),
  ];
  const { version, refused } = await follow([...bad, good]);
  expect({ version, refused }).toEqual({ version: 2, refused: bad.length });
});

test('an agent that answers "nothing new" at once is not asked in a tight loop', async () => {
  const waits: number[] = [];
  const counting: Backoff = { wait: async () => waits.push(1) > 0, reset: () => undefined };
  const nothing = Array.from({ length: 4 }, () => undefined);
  const { asked } = await follow([signedTrust(trustDocument(2)), ...nothing], counting);
  expect(asked).toHaveLength(6);
  expect(waits).toHaveLength(5);
});

test('an agent that says that the pod has changed is believed of it, and of no other, whatever comes later', async () => {
  const said = new AgentError('changed', { status: 403, code: POD_CHANGED });
  const away = new AgentError('away', { status: 403, code: 'caller-pod-ended' });
  const pods = async (...offers: Parameters<typeof follow>[0]): Promise<string[] | undefined> =>
    (await follow(offers)).document?.revoked.certificates.map(({ podUid }) => podUid);
  expect(await pods(signedTrust(trustDocument(2)), away)).toEqual([]);
  expect(await pods(signedTrust(trustDocument(2)), said)).toEqual(['own']);
  expect(await pods(signedTrust(trustDocument(2)), said, said, signedTrust(trustDocument(3)))).toEqual([
    'own',
  ]);
  expect(await pods(said, signedTrust(trustDocument(2)))).toEqual(['own']);
});

test('what is no trust document at all: huge, endless, cut off, garbage; the one that is held goes on counting', async () => {
  const agent = await agentFixture();
  const link = createAgentLink({
    ...{
      host: agent.host,
      port: agent.port,
      node: NODE,
      localAddress: loopbackAddress(),
      tokenFile: tokenFile(),
    },
    roots: liveValue(roots.system),
  });
  const { trust, abort, done } = follower(agentCalls(link));
  const streams = new Set<NodeJS.Timeout>();
  undo.push(async () => {
    for (const each of streams) clearInterval(each);
    abort.abort();
    await done;
    link.close();
  });
  const version = () => trust.current().document?.version;
  const asked = () => agent.calls.filter(({ path }) => path === '/v1/trust').length;
  await until('the first document, and the poll that is held', () => version() === 1 && asked() >= 2);
  const body = encodeSignedTrustDocument(signedTrust(trustDocument(9)));
  const hostile: NonNullable<FakeAgent['trustAnswer']>[] = [
    (response) => void response.writeHead(200).end(Buffer.alloc(2_000_000)),
    (response) => {
      response.writeHead(200).on('error', () => undefined);
      streams.add(setInterval(() => response.write(Buffer.alloc(65_536)), 1));
    },
    (response) => {
      const part = body.subarray(0, 100);
      response.writeHead(200, { 'content-length': body.length }).write(part, () => response.destroy());
    },
    (response) => void response.writeHead(200).end(body.subarray(0, -1)),
    (response) => void response.writeHead(200).end(Buffer.concat([body, Buffer.of(0x7a, 0x00)])),
    (response) => void response.writeHead(200).end('{}'),
    (response) => void response.writeHead(302, { location: 'https://127.0.0.1/' }).end(),
  ];
  for (const answer of hostile) {
    const before = asked();
    agent.trustAnswer = answer;
    // Ends the poll that is held, if one is.
    if (answer === hostile[0]) agent.publish(signedTrust(trustDocument(2)));
    await until('another question', () => asked() >= before + 2);
    // Of what came whole, or in part, nothing was taken.
    expect(version()).toBeLessThanOrEqual(2);
  }
  agent.trustAnswer = undefined;
  agent.publish(signedTrust(trustDocument(10)));
  await until('the next good one', () => version() === 10);
});
