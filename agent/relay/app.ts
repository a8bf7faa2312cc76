import { aborted } from '../../platform/run/aborted.ts';
import type { Context } from '../../platform/run/context.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import { DeviceTransport } from '../../tpm/transport/device-transport.ts';
import type { RELAY_OPTIONS } from './options.ts';
import { startRelay } from './relay.ts';

const AGAIN_MS = 5_000;

/**
 * Hands a node's TPM on to the agent beside it. Kubernetes lets only a privileged container open a device that no plugin gave it: this one does that
 * and nothing else, so that the agent, which strangers' pods talk to, needs no privilege.
 */
export async function relayApp(context: Context<typeof RELAY_OPTIONS>): Promise<void> {
  const { config, log, health, signal } = context;
  const check = health.check('tpm');
  const open = async (): Promise<DeviceTransport> => {
    try {
      const tpm = await DeviceTransport.open(config.device);
      check.ok();
      return tpm;
    } catch (error) {
      check.fail(explain(error));
      throw error;
    }
  };
  const relay = await startRelay({
    socket: config.socket,
    open,
    onTrouble: (error) => log.warn({}, explain(error)),
  });
  log.info({ device: config.device, socket: config.socket }, 'serving');
  // Said at once when there is no TPM, whether or not an agent asks.
  let said = '';
  while (!signal.aborted) {
    const tpm = await open().catch((error: unknown) => {
      const reason = explain(error);
      if (reason !== said) log.error({}, reason);
      said = reason;
      return undefined;
    });
    if (tpm !== undefined) {
      await tpm.close();
      break;
    }
    await sleep(AGAIN_MS, signal);
  }
  await aborted(signal);
  await relay.close();
}
