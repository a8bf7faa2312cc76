/** The TPM's relay between a real software TPM and our own transport. */
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isPassedOn } from '../../agent/relay/passed-on.ts';
import { type Relay, startRelay } from '../../agent/relay/relay.ts';
import * as commands from '../../formats/tpm/commands.ts';
import { explain } from '../../platform/run/explain.ts';
import { loadAttestationKey } from '../../tpm/attestation-key.ts';
import { TpmExecutor } from '../../tpm/executor.ts';
import { startup } from '../../tpm/objects.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import { type TpmTransport, TpmUnavailable } from '../../tpm/transport/transport.ts';
import { type Swtpm, startSwtpm } from '../support/swtpm.ts';
import { until } from '../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'relay-'));
const socket = join(directory, 'tpm.sock');
const troubles: string[] = [];
const READ_CLOCK = Buffer.from('80010000000a00000181', 'hex');
let opened = 0;
let swtpm: Swtpm;
let relay: Relay;

beforeAll(async () => {
  swtpm = await startSwtpm();
  // What a relay that was killed leaves.
  writeFileSync(socket, '');
  relay = await startRelay({
    socket,
    open: async () => {
      const tpm = await openTransport(swtpm.address);
      // Until swtpm has taken this connection: where it gets no turn, two may wait for it, and the third finds no place (EAGAIN).
      await tpm.transmit(READ_CLOCK);
      opened += 1;
      return {
        transmit: (command) => tpm.transmit(command),
        close: async () => {
          await tpm.close();
          // Only then does the relay take another caller.
          opened -= 1;
        },
      } satisfies TpmTransport;
    },
    onTrouble: (error) => troubles.push(explain(error)),
  });
}, 30_000);
afterAll(async () => {
  await relay?.close();
  await swtpm?.remove();
  rmSync(directory, { recursive: true, force: true });
});

const idle = (): Promise<true> => until('nobody has the TPM', async () => opened === 0);

test('a TPM behind it is the TPM: keys are made and found again', async () => {
  expect(statSync(socket).mode & 0o777).toBe(0o660);
  const names: Uint8Array[] = [];
  for (let turn = 0; turn < 2; turn += 1) {
    const tpm = new TpmExecutor(await openTransport(`swtpm:${socket}`));
    await startup(tpm);
    names.push((await loadAttestationKey(tpm)).name);
    await tpm.close();
    await idle();
  }
  expect(names[0]).toEqual(names[1]);
});

test('one caller at a time: another is turned away, and the first goes on', async () => {
  const first = new TpmExecutor(await openTransport(`swtpm:${socket}`));
  await startup(first);
  const second = connect(socket);
  await once(second, 'close');
  await loadAttestationKey(first);
  await first.close();
  await idle();
});

test.each([
  ['a length below a header', '80010000000900000144'],
  ['a length beyond a TPM’s', '80010000100100000144'],
  ['more than one command', `${'80010000000c000001440000'.repeat(2)}`],
])('%s ends the connection, and nothing of it reaches the TPM', async (_, hex) => {
  troubles.length = 0;
  const caller = connect(socket);
  await once(caller, 'connect');
  let answered = 0;
  caller.on('data', (bytes) => {
    answered += bytes.length;
  });
  caller.write(Buffer.from(hex, 'hex'));
  await once(caller, 'close');
  expect(answered).toBe(0);
  // The connection may end before the TPM is closed, and it is told after that.
  await expect.poll(() => troubles).toEqual(['the caller sent what is no command']);
  await idle();
});

/** Handles, an empty password and the parameter of TPM2_EvictControl (TPM 2.0 Part 3, 28.5), by the owner. */
function evicting(object: number, persistent: number): string {
  const password = '00000009400000090000000000';
  return `40000001${object.toString(16)}${password}${persistent.toString(16)}`;
}

test.each<[string, number, string?]>([
  ['TPM2_Clear', 0x126],
  ['TPM2_HierarchyChangeAuth', 0x129],
  ['TPM2_NV_UndefineSpace', 0x122],
  ['TPM2_PCR_Extend', 0x182],
  ['TPM2_DictionaryAttackParameters', 0x13a],
  ['a vendor’s own command', 0x20000001],
  ['TPM2_EvictControl of a storage root key', 0x120, evicting(0x81000001, 0x81000001)],
  ['TPM2_EvictControl of an endorsement key', 0x120, evicting(0x81010001, 0x81010001)],
  ['TPM2_EvictControl that keeps a key at another handle', 0x120, evicting(0x80000000, 0x81000002)],
  ['TPM2_EvictControl of another key, with ours as the last word', 0x120, evicting(0x81000001, 0x81010002)],
  ['TPM2_EvictControl without a handle', 0x120],
])('%s, which no agent needs, ends the connection and does not reach the TPM', async (_, code, rest = '') => {
  troubles.length = 0;
  const caller = connect(socket);
  await once(caller, 'connect');
  let answered = 0;
  caller.on('data', (bytes) => {
    answered += bytes.length;
  });
  const command = Buffer.from(`80010000000a00000000${rest}`, 'hex');
  command.writeUInt32BE(command.length, 2);
  command.writeUInt32BE(code, 6);
  caller.write(command);
  await Promise.race([once(caller, 'close'), once(caller, 'data')]);
  caller.destroy();
  expect(answered).toBe(0);
  // The connection may end before the TPM is closed, and it is told after that.
  await expect.poll(() => troubles).toEqual(['the caller sent a command that no agent needs']);
  await idle();
});

/** A command of this code; eviction has the agent's own key. */
function whole(code: number): Buffer {
  const command = Buffer.from(`80020000000000000000${evicting(0x80000000, 0x81010003)}`, 'hex');
  command.writeUInt32BE(code, 6);
  return command;
}

test('what our TPM code sends is passed on, every command of it', () => {
  const sent = globSync(['tpm/*.ts', 'agent/attestation/tpm-owner.ts']).flatMap((file) => {
    const [, names = ''] =
      /import \{([^}]+)\} from '[./]+formats\/tpm\/commands\.ts'/.exec(readFileSync(file, 'utf8')) ?? [];
    return names.split(',').map((name) => name.trim());
  });
  const codes = Object.entries(commands).flatMap(([name, value]) =>
    sent.includes(name) && 'code' in value ? [[name, isPassedOn(whole(value.code))]] : [],
  );
  expect(codes.length).toBeGreaterThan(10);
  expect(codes.filter(([, passes]) => passes === false)).toEqual([]);
});

test('when the TPM goes, the caller hears it as it would of the TPM itself, and finds it again later', async () => {
  const before = new TpmExecutor(await openTransport(`swtpm:${socket}`));
  await startup(before);
  await swtpm.stop();
  await expect(loadAttestationKey(before)).rejects.toThrow(TpmUnavailable);
  await before.close();
  await swtpm.start();
  await idle();
  const after = new TpmExecutor(await openTransport(`swtpm:${socket}`));
  await startup(after);
  await loadAttestationKey(after);
  await after.close();
});
