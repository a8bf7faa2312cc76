import { TpmExecutor } from '../../tpm/executor.ts';
import { startup } from '../../tpm/objects.ts';
import { openTransport } from '../../tpm/transport/open-transport.ts';
import type { Swtpm } from './swtpm.ts';

/** Works with a TPM by our code, connected for so long: swtpm serves one connection at a time, and tools want it too. */
export async function withTpm<T>(swtpm: Swtpm, work: (tpm: TpmExecutor) => Promise<T>): Promise<T> {
  const tpm = new TpmExecutor(await openTransport(swtpm.address));
  try {
    await startup(tpm);
    return await work(tpm);
  } finally {
    await tpm.close();
  }
}
