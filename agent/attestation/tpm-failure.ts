import { RC } from '../../formats/tpm/response-codes.ts';
import { explain } from '../../platform/run/explain.ts';
import { isResponse } from '../../tpm/executor.ts';
import { TpmUnavailable } from '../../tpm/transport/transport.ts';

/** What is wrong with a TPM, as far as it makes a difference to what is done about it. */
export type TpmFailureKind = keyof typeof KINDS;

interface Kind {
  /** Response codes (TPM 2.0 Library part 2, 6.6), without the place that format one adds. */
  readonly codes: readonly number[];
  /**
   * Whether the TPM is set up again: connected, started, freed of what nobody needs, its key found or made, a quote tried.
   * Where that does not help either, it is done again every two seconds, and readiness shows the reason.
   */
  readonly setUpAgain: boolean;
  /** For the log and the readiness probe. Empty where it mends itself. */
  readonly remedy: string;
}

const KINDS = {
  /** No connection, or one that ended: TPM, emulator or resource manager is gone or was restarted. */
  unavailable: { codes: [], setUpAgain: true, remedy: '' },
  /** It was reset under us and wants TPM2_Startup. */
  reset: { codes: [RC.initialize], setUpAgain: true, remedy: '' },
  'failure-mode': {
    codes: [RC.failure, RC.reboot],
    setUpAgain: true,
    remedy: 'power the node off and on; if it stays, the TPM is broken',
  },
  /** The key's handle is empty: somebody evicted it, or cleared the TPM. */
  'key-missing': { codes: [RC.handle, RC.referenceH0], setUpAgain: true, remedy: '' },
  'object-memory': {
    codes: [RC.objectMemory, RC.objectHandles, RC.memory],
    setUpAgain: true,
    remedy:
      'other programs fill the TPM: use the resource manager (device:/dev/tpmrm0), and look with tpm2_getcap handles-transient',
  },
  'session-memory': {
    codes: [RC.sessionMemory, RC.sessionHandles, RC.contextGap],
    setUpAgain: true,
    remedy: 'other programs hold sessions in the TPM: tpm2_flushcontext -l and -s end them',
  },
  lockout: {
    codes: [RC.lockout],
    setUpAgain: true,
    remedy: 'wait for the recovery time, or end it with tpm2_dictionarylockout --clear-lockout',
  },
  /** It was asked again for a second already. */
  busy: {
    codes: [RC.retry, RC.yielded, RC.testing, RC.canceled],
    setUpAgain: true,
    remedy: 'another program keeps the TPM busy',
  },
  'nv-memory': {
    codes: [RC.nvRate, RC.nvUnavailable, RC.nvSpace],
    setUpAgain: true,
    remedy: 'the TPM cannot write its NV memory now; if this stays, free NV indices or persistent handles',
  },
  hierarchy: {
    codes: [RC.hierarchy],
    setUpAgain: true,
    remedy:
      'the endorsement hierarchy must be enabled: look at the firmware’s TPM settings, and restart the node',
  },
  /** Only work that needs the authorization fails; quotes need none. */
  authorization: {
    codes: [RC.authFail, RC.badAuth],
    setUpAgain: false,
    remedy:
      'owner and endorsement hierarchy must have empty authorizations: tpm2_changeauth -c owner -p OLD, and -c endorsement',
  },
  /** Not the TPM's state, but what it was asked. */
  other: { codes: [], setUpAgain: false, remedy: '' },
} as const satisfies Record<string, Kind>;

export const TPM_FAILURE_KINDS = Object.keys(KINDS) as readonly TpmFailureKind[];

/** A failure, judged. */
export interface TpmFailure {
  readonly kind: TpmFailureKind;
  readonly setUpAgain: boolean;
  /** One line: what happened, and what a person can do where the agent cannot. */
  readonly reason: string;
}

/** What an error of a transport, of the executor or of work with the TPM means. */
export function judgeFailure(error: unknown): TpmFailure {
  const kind =
    error instanceof TpmUnavailable
      ? 'unavailable'
      : (TPM_FAILURE_KINDS.find((each) => KINDS[each].codes.some((code) => isResponse(error, code))) ??
        'other');
  const { setUpAgain, remedy } = KINDS[kind];
  return { kind, setUpAgain, reason: remedy === '' ? explain(error) : `${explain(error)}; ${remedy}` };
}
