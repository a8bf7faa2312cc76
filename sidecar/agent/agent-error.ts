import { readProblem } from '../../platform/http/problem.ts';
import { explain } from '../../platform/run/explain.ts';

/** The agent could not be reached, or refused. Always worth another try, later: what it refuses today may be mended. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  /** The connection was an old one: the request may not have reached anybody. */
  readonly reused: boolean;
  /** 0 when there was no answer. */
  readonly status: number;

  constructor(cause: unknown, reused: boolean, status = 0) {
    super(typeof cause === 'string' ? cause : `the agent cannot be reached: ${explain(cause)}`, { cause });
    this.reused = reused;
    this.status = status;
  }
}

/** The refusal in a problem document (RFC 9457), as far as it is one. */
export function problemError(status: number, body: Uint8Array): AgentError {
  const { code, detail, remedy } = readProblem(body);
  const what = remedy === '' ? detail : `${detail}; ${remedy}`;
  return new AgentError(`the agent refuses (${code || status}): ${what}`, false, status);
}
