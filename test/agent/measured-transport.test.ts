import { expect, test } from 'vitest';
import { measured } from '../../agent/attestation/measured-transport.ts';
import { encodeCommand } from '../../formats/tpm/command-codec.ts';
import { READ_CLOCK } from '../../formats/tpm/commands.ts';
import { until } from '../support/until.ts';

test('the time of a command is told with its name, and that it hangs while it does', async () => {
  const told: string[] = [];
  const answer = Promise.withResolvers<Uint8Array>();
  const transport = measured(
    { transmit: () => answer.promise, close: async () => {} },
    {
      took: (command, seconds, hung) =>
        told.push(`${command} took ${seconds >= 0.02 ? 'long' : 'no time'}${hung ? ', hung' : ''}`),
      hangs: (command, seconds) => told.push(`${command} hangs for ${seconds}`),
    },
    20,
  );
  const sent = transport.transmit(encodeCommand(READ_CLOCK, {}));
  const begun = performance.now();
  // A timer of Node may fire up to a millisecond before its time.
  await until('it hangs', async () => told.length === 1 && performance.now() - begun >= 20);
  answer.resolve(new Uint8Array(1));
  expect(await sent).toHaveLength(1);
  await transport.transmit(new Uint8Array(10));
  expect(told).toEqual([
    'TPM2_ReadClock hangs for 0.02',
    'TPM2_ReadClock took long, hung',
    'other took no time',
  ]);
});
