import { readProblem } from '../../platform/http/problem.ts';
import { explain } from '../../platform/run/explain.ts';

export interface AgentErrorFacts {
  /** The connection was an old one: the request may not have reached anybody. */
  readonly reused?: boolean;
  /** 0 when there was no answer. */
  readonly status?: number;
  /** The agent's own code; default `agent-unreachable`. */
  readonly code?: string;
}

/** The agent could not be reached, or refused. Always worth another try, later: what it refuses today may be mended. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly reused: boolean;
  readonly status: number;
  /** Lower-case letters and dashes: it becomes a metric's label. */
  readonly code: string;

  constructor(cause: unknown, { reused = false, status = 0, code = 'agent-unreachable' }: AgentErrorFacts) {
    super(typeof cause === 'string' ? cause : `the agent cannot be reached: ${explain(cause)}`, { cause });
    this.reused = reused;
    this.status = status;
    this.code = code;
  }
}

/** An answer of the agent that is no answer to what was asked. */
export function answerError(message: string): AgentError {
  return new AgentError(message, { status: 200, code: 'agent-answer' });
}

/** The refusal in a problem document (RFC 9457), as far as it is one. */
export function problemError(status: number, body: Uint8Array): AgentError {
  const { code, detail, remedy } = readProblem(body);
  const what = remedy === '' ? detail : `${detail}; ${remedy}`;
  const label = /^[a-z][a-z-]{1,40}$/.test(code) ? code : 'agent-answer';
  return new AgentError(`the agent refuses (${code || status}): ${what}`, { status, code: label });
}
