import { HANDLE_RANGES } from '../../formats/tpm/handles.ts';
import type { TpmExecutor } from '../../tpm/executor.ts';
import { handlesFrom } from '../../tpm/objects.ts';

const RANGES = ['transient', 'loadedSession', 'savedSession', 'persistent'] as const;

/** What is in a TPM, by TPM2_GetCapability: transient objects, loaded and saved sessions, persistent objects. */
export async function tpmHandles(
  tpm: TpmExecutor,
): Promise<Record<(typeof RANGES)[number], readonly number[]>> {
  const [transient, loadedSession, savedSession, persistent] = await Promise.all(
    RANGES.map((range) => handlesFrom(tpm, HANDLE_RANGES[range])),
  );
  return {
    transient: transient ?? [],
    loadedSession: loadedSession ?? [],
    savedSession: savedSession ?? [],
    persistent: persistent ?? [],
  };
}
