import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AgentQuote, Quoter } from '../../agent/attestation/quoter.ts';
import type { TpmFailureKind } from '../../agent/attestation/tpm-failure.ts';
import { TpmOwner } from '../../agent/attestation/tpm-owner.ts';
import type { Command } from '../../formats/tpm/command.ts';
import { CREATE_PRIMARY, EVICT_CONTROL, QUOTE, START_AUTH_SESSION } from '../../formats/tpm/commands.ts';
import { RH } from '../../formats/tpm/handles.ts';
import { encodePublic } from '../../formats/tpm/public.ts';
import { EK_ECC_P256 } from '../../formats/tpm/templates.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { AK_HANDLE } from '../../tpm/attestation-key.ts';
import { loadEndorsementKey } from '../../tpm/endorsement-key.ts';
import { type TpmExecutor, TpmResponseError } from '../../tpm/executor.ts';
import { createEndorsementPrimary, evict } from '../../tpm/objects.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import { TpmUnavailable } from '../../tpm/transport/transport.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { ScriptedTpm } from '../support/scripted-tpm.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { tpmHandles } from '../support/tpm-handles.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const SELECTION = { hash: 'sha256', pcrs: [0, 7] } as const;
const script = new ScriptedTpm();
const { log, lines } = recordingLogger();
const quoter = new Quoter(nodeCrypto);
const stopped = new AbortController();
let swtpm: Swtpm;
let owner: TpmOwner;
let running: Promise<void>;
/** Since the test began. */
const downs: string[] = [];
const failures: TpmFailureKind[] = [];

beforeAll(async () => {
  swtpm = await startSwtpm();
  owner = new TpmOwner({
    open: async () => script.around(await openTransport(swtpm.address)),
    log,
    patienceMs: 600,
    heartbeatMs: 60_000,
    onUp: () => {},
    onDown: (reason) => downs.push(reason),
    onFailure: (kind) => failures.push(kind),
  });
  running = owner.run(stopped.signal);
});
beforeEach(async () => {
  await until('the TPM is up', async () => owner.session);
  downs.length = 0;
  failures.length = 0;
  lines.length = 0;
});
afterAll(async () => {
  stopped.abort();
  await running;
  await swtpm?.remove();
});

const quote = (fill = 1): Promise<AgentQuote> =>
  owner.use((session) => quoter.quote(session, SELECTION, new Uint8Array(32).fill(fill)));
const handles = () => owner.use(({ tpm }) => tpmHandles(tpm));

const startSession = (tpm: TpmExecutor) =>
  tpm.execute(START_AUTH_SESSION, {
    tpmKey: RH.null,
    bind: RH.null,
    nonceCaller: new Uint8Array(16),
    encryptedSalt: new Uint8Array(0),
    sessionType: 'policy',
    symmetric: { kind: 'null' },
    authHash: 'sha256',
  });

/** TPM2_Clear and TPM2_ChangeEPS (TPM 2.0 Library part 3, 24.6 and 24.7): what an operator does, never the agent. */
const operators = (name: string, code: number) =>
  ({
    name,
    section: '24',
    code,
    handles: ['authHandle'],
    authorized: 1,
    parameters: {},
    responseHandles: [],
    response: {},
  }) as const satisfies Command;
const CLEAR = operators('TPM2_Clear', 0x126);
const CHANGE_EPS = operators('TPM2_ChangeEPS', 0x124);

describe('a TPM that fails quotes again, and work under way does not notice', () => {
  test('reset under us, on the same connection', async () => {
    await run('swtpm_ioctl', ['--unix', `${swtpm.socket}.ctrl`, '-i']);
    expect((await quote()).pcrValues).toHaveLength(2);
    expect(failures).toEqual(['reset']);
  });

  test('the connection cut in the middle of other work: what that left in the TPM is freed', async () => {
    const before = await handles();
    const abandoned = owner.session?.tpm;
    if (abandoned === undefined) throw new Error('no TPM');
    await createEndorsementPrimary(abandoned, EK_ECC_P256);
    await startSession(abandoned);
    await script.cut();
    expect((await quote()).pcrValues).toHaveLength(2);
    expect(await handles()).toEqual(before);
    expect(failures).toEqual(['unavailable']);
  });

  test('full of objects (0x902)', async () => {
    const before = await handles();
    const tpm = owner.session?.tpm;
    if (tpm === undefined) throw new Error('no TPM');
    await expect(
      (async () => {
        for (;;) await createEndorsementPrimary(tpm, EK_ECC_P256);
      })(),
    ).rejects.toThrow('TPM_RC_OBJECT_MEMORY');
    expect((await quote()).pcrValues).toHaveLength(2);
    expect(failures).toEqual(['object-memory']);
    expect(await handles()).toEqual(before);
  });

  test('full of sessions (0x903)', async () => {
    const before = await handles();
    const { sessionHandle } = await owner.use(async ({ tpm }) => {
      for (let i = 0; i < 2; i++) await startSession(tpm);
      return startSession(tpm);
    });
    expect(sessionHandle >>> 24).toBe(3);
    const full = owner.use(async ({ tpm }) => {
      for (;;) await startSession(tpm);
    });
    await expect(full).rejects.toThrow('TPM_RC_SESSION_MEMORY');
    expect(failures).toEqual(['session-memory', 'session-memory']);
    await until('the TPM is up', async () => owner.session);
    expect(await handles()).toEqual(before);
  });

  test.each([
    ['session-memory', 0x901],
    ['object-memory', 0x902],
    ['session-memory', 0x903],
    ['object-memory', 0x904],
    ['lockout', 0x921],
    ['nv-memory', 0x923],
    ['failure-mode', 0x101],
    ['key-missing', 0x910],
  ] as const)('%s once (response code %i)', async (kind, code) => {
    script.answer(QUOTE, code, 1);
    expect((await quote()).pcrValues).toHaveLength(2);
    expect(failures).toEqual([kind]);
    expect(downs).toHaveLength(1);
  });

  test('busy for a moment (0x922): it is asked again, and stays up', async () => {
    script.answer(QUOTE, 0x922, 3);
    expect((await quote()).pcrValues).toHaveLength(2);
    expect(failures).toEqual([]);
  });
});

describe('a TPM that goes on failing says why and what to do, and quotes when it is over', () => {
  test.each([
    ['object-memory', QUOTE, 0x902, /TPM_RC_OBJECT_MEMORY.*; .*tpm2_getcap handles-transient/],
    ['session-memory', QUOTE, 0x903, /TPM_RC_SESSION_MEMORY.*; .*tpm2_flushcontext/],
    ['lockout', QUOTE, 0x921, /TPM_RC_LOCKOUT.*; .*tpm2_dictionarylockout --clear-lockout/],
    ['busy', QUOTE, 0x922, /TPM_RC_RETRY.*; another program/],
    ['failure-mode', QUOTE, 0x101, /TPM_RC_FAILURE.*; power the node off and on/],
    ['nv-memory', EVICT_CONTROL, 0x923, /TPM_RC_NV_UNAVAILABLE.*; .*NV memory/],
    ['hierarchy', CREATE_PRIMARY, 0x185, /TPM_RC_HIERARCHY.*; the endorsement hierarchy must be enabled/],
    ['authorization', EVICT_CONTROL, 0x9a2, /TPM_RC_BAD_AUTH.*; .*tpm2_changeauth -c owner/],
  ] as const)('%s', async (kind, command, code, says) => {
    // A key that is gone has to be made, which takes commands that a quote does not.
    if (command !== QUOTE) await owner.use(({ tpm }) => evict(tpm, AK_HANDLE, AK_HANDLE));
    script.answer(command, code, 10_000);
    const refused = await quote().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(TpmUnavailable);
    expect(String(refused)).toMatch(says);
    expect(downs.at(-1)).toMatch(says);
    expect(failures).toContain(kind);
    expect(lines.some((line) => says.test(JSON.parse(line).msg))).toBe(true);
    expect(owner.session).toBeUndefined();
    script.answer(command, 0, 0);
    await until('the TPM is up', async () => owner.session);
    expect((await quote()).pcrValues).toHaveLength(2);
  });

  test('a refusal that is about the work alone leaves the TPM up', async () => {
    const { session } = owner;
    script.answer(CREATE_PRIMARY, 0x2c3, 1);
    const work = owner.use(({ tpm }) => createEndorsementPrimary(tpm, EK_ECC_P256));
    await expect(work).rejects.toThrow(TpmResponseError);
    expect(failures).toEqual(['other']);
    expect(owner.session).toBe(session);
  });
});

describe('a TPM that was cleared', () => {
  const warned = () =>
    lines.map((line) => JSON.parse(line).msg).find((msg) => /cleared or replaced/.test(msg));

  test('by TPM2_Clear: quotes with a key of the same endorsement key, and says that its clock went back', async () => {
    await swtpm.stop();
    await swtpm.start();
    const before = await quote();
    // A reset is none of that.
    expect(warned()).toBeUndefined();
    const endorsementKey = () =>
      owner.use(async ({ tpm }) => encodePublic((await loadEndorsementKey(tpm)).public));
    const ek = await endorsementKey();
    await owner.use(({ tpm }) => tpm.execute(CLEAR, { authHandle: RH.lockout }));
    const after = await quote();
    expect(after.pcrValues).toEqual(before.pcrValues);
    expect(await endorsementKey()).toEqual(ek);
    expect(failures).toEqual(['unavailable', 'key-missing']);
    expect(warned()).toMatch(/its clock went back .*enclavectl admin nodes release NODE/);
  });

  test('with another endorsement seed: quotes with another key, and says who has to allow it', async () => {
    const before = await quote();
    await owner.use(({ tpm }) => tpm.execute(CHANGE_EPS, { authHandle: RH.platform }));
    const after = await quote();
    expect(after.attestationKeyPublic).not.toEqual(before.attestationKeyPublic);
    expect(warned()).toMatch(/its attestation key is another .*enclavectl admin nodes release NODE/);
  });
});
