import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { enrolmentHandlers } from '../../certs/enrolment/enrolment-service.ts';
import type { NodeRegistry } from '../../certs/enrolment/node-registry.ts';
import type { CertificateProfile } from '../../certs/issue/profile.ts';
import { encodePublic, type Public } from '../../formats/tpm/public.ts';
import { AK_ECDSA_P256, EK_ECC_P256 } from '../../formats/tpm/templates.ts';
import { ENROLMENT_AUDIENCE } from '../../names/wire.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import type { RpcCall } from '../../platform/rpc/rpc-call.ts';
import { RpcError, RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import type {
  EnrolRequest,
  EnrolResponse,
} from '../../proto/gen/enclave_licensing/enrolment/v1/enrolment.ts';
import { NOW, sha256Hex } from './support.ts';

const AGENT = 'system:serviceaccount:enclave-licensing:enclave-agent';
const PREFIX = 'authentication.kubernetes.io/';

function eccKey(template: Public) {
  const key = generateKey();
  const { x = '', y = '' } = key.privateKey.export({ format: 'jwk' });
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'));
  return {
    spki: key.spki,
    public: encodePublic({ ...template, unique: { kind: 'ecc', x: bytes(x), y: bytes(y) } }),
  };
}
const ek = eccKey(EK_ECC_P256);
const ak = eccKey(AK_ECDSA_P256);

const hello: EnrolRequest = {
  step: {
    $case: 'hello',
    value: {
      endorsementKeyPublic: ek.public,
      endorsementKeyCertificateChain: [],
      attestationKeyPublic: ak.public,
    },
  },
};
const activation = (secret: Uint8Array): EnrolRequest => ({
  step: { $case: 'activation', value: { secret } },
});

interface Case {
  readonly token?: string | undefined;
  readonly user?: object;
  readonly audiences?: readonly string[];
  readonly listed?: boolean;
  readonly away?: boolean;
  readonly steps?: (secret: Uint8Array) => EnrolRequest[];
}

/** One enrolment over a fake API server and a fake registry; the secret of the challenge is known here. */
async function enrol(given: Case = {}) {
  const signed: CertificateProfile[] = [];
  const bound: string[] = [];
  const secret = new Uint8Array(randomBytes(32));
  const user = {
    username: AGENT,
    extra: { [`${PREFIX}node-name`]: ['node-1'], [`${PREFIX}pod-uid`]: ['uid'] },
    ...given.user,
  };
  const status = { authenticated: true, audiences: given.audiences ?? [ENROLMENT_AUDIENCE], user };
  const registry: NodeRegistry = {
    bind: async (node) => {
      bound.push(node);
      return { ok: true, value: undefined };
    },
    isBound: async () => true,
    record: async () => {},
  };
  const { enrol: handler } = enrolmentHandlers({
    crypto: nodeCrypto,
    kube: {
      create: async () => (given.away ? Promise.reject(new Error('ECONNREFUSED')) : { status }),
    } as unknown as Kube,
    releaseNamespace: 'enclave-licensing',
    registry,
    endorsements: () => ({
      now: NOW,
      roots: { vendor: [], emulated: [] },
      list: new Map(given.listed === false ? [] : [[sha256Hex(ek.spki), 'listed' as const]]),
    }),
    sign: (profile) => {
      signed.push(profile);
      return { ok: false, code: 'lifetime', message: 'signed enough for this test', remedy: '' };
    },
    random: () => secret,
    onOutcome: () => {},
    onEnrolled: async () => {},
  });
  const call: RpcCall = {
    peer: { address: '127.0.0.1' },
    ...('token' in given ? {} : { bearerToken: 'token' }),
    requestId: 'request-1',
    signal: AbortSignal.timeout(5_000),
    log: silentLogger,
  };
  const steps = given.steps?.(secret) ?? [hello, activation(secret)];
  const requests = (async function* () {
    yield* steps;
  })();
  const answers: EnrolResponse[] = [];
  let code = 'ok';
  try {
    for await (const answer of handler(requests, call)) answers.push(answer);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    code = error instanceof RpcRefusal ? error.code : error.status;
  }
  return { code, answers, signed, bound };
}

describe('one stream, hello to certificate', () => {
  test('the right secret leads to the signature, for the node that the token names', async () => {
    const { answers, signed, bound } = await enrol();
    expect(answers.map(({ step }) => step?.$case)).toEqual(['challenge']);
    expect(bound).toEqual(['node-1']);
    expect(signed[0]).toMatchObject({
      issuer: 'attestation-keys',
      subject: { commonName: 'node-1' },
      extensions: { tpmTrust: { ekSha256: sha256Hex(ek.spki), how: 'listed' } },
    });
  });

  test.each<[string, (secret: Uint8Array) => Uint8Array]>([
    ['none', () => new Uint8Array(0)],
    ['another', () => new Uint8Array(randomBytes(32))],
    ['one bit off', (secret) => secret.map((byte, i) => (i === 31 ? byte ^ 1 : byte))],
    ['too short', (secret) => secret.slice(0, 31)],
  ])('a wrong secret (%s) binds nothing and signs nothing', async (_what, wrong) => {
    const { code, signed, bound } = await enrol({ steps: (secret) => [hello, activation(wrong(secret))] });
    expect([code, signed, bound]).toEqual(['activation-failed', [], []]);
  });

  test('steps come in order', async () => {
    for (const steps of [
      (secret: Uint8Array) => [activation(secret), hello],
      () => [hello, hello],
      () => [hello],
      () => [],
      () => [{ step: undefined }],
    ]) {
      const { code, signed } = await enrol({ steps });
      expect([code, signed]).toEqual(['enrolment-sequence', []]);
    }
  });

  test('only the agent’s own pod-bound token of our audience counts', async () => {
    const extra = { [`${PREFIX}node-name`]: ['node-1'], [`${PREFIX}pod-uid`]: ['uid'] };
    for (const given of [
      { token: undefined },
      { audiences: [] },
      { audiences: ['https://kubernetes.default.svc'] },
      { user: { username: AGENT.replace('agent', 'front') } },
      { user: { username: AGENT.replace('enclave-licensing', 'default') } },
      { user: { extra: {} } },
      { user: { extra: { ...extra, [`${PREFIX}node-name`]: ['node-1', 'node-2'] } } },
      { user: { extra: { [`${PREFIX}node-name`]: ['node-1'] } } },
    ]) {
      const { code, answers } = await enrol(given);
      expect([code, answers], JSON.stringify(given)).toEqual(['token-refused', []]);
    }
  });

  test('an API server that is away is no refusal', async () => {
    expect((await enrol({ away: true })).code).toBe('UNAVAILABLE');
  });

  test('no challenge for a TPM that nobody vouches for', async () => {
    const { code, answers } = await enrol({ listed: false });
    expect([code, answers]).toEqual(['ek-untrusted', []]);
  });

  test('a stranger cannot have tokens reviewed without end, nor keep agents of other addresses out', async () => {
    let reviews = 0;
    const unused = () => {
      throw new Error('nobody gets this far');
    };
    const create = async () => {
      reviews += 1;
      return { status: { authenticated: false } };
    };
    const { enrol: handler } = enrolmentHandlers({
      crypto: nodeCrypto,
      kube: { create } as unknown as Kube,
      releaseNamespace: 'enclave-licensing',
      registry: { bind: unused, isBound: unused, record: unused },
      endorsements: unused,
      sign: unused,
      random: unused,
      onOutcome: () => {},
      onEnrolled: async () => {},
    });
    const from = async (address: string): Promise<string> => {
      const call = {
        peer: { address },
        bearerToken: 'made-up',
        requestId: 'request-1',
        signal: new AbortController().signal,
        log: silentLogger,
      };
      try {
        for await (const _ of handler((async function* () {})(), call)) return 'answered';
        return 'ended';
      } catch (error) {
        return error instanceof RpcRefusal ? error.code : String(error);
      }
    };
    const codes: string[] = [];
    for (let round = 0; round < 10; round += 1)
      codes.push(...(await Promise.all(Array.from({ length: 20 }, () => from('10.0.0.9')))));
    expect(reviews).toBe(16);
    expect(new Set(codes)).toEqual(new Set(['token-refused', 'enrolment-busy']));
    expect(await from('10.0.0.10')).toBe('token-refused');
  });
});
