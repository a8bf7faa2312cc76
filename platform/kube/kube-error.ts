/**
 * What the API server answered instead of the object: its Status. `status` is the HTTP status, `reason` the machine-readable word (NotFound, AlreadyExists,
 * Conflict, Forbidden, Invalid, Expired...). Connection failures are not KubeErrors: they are Node's own errors.
 */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** Is it this refusal of the API server? */
export function isKubeError(error: unknown, ...reasons: string[]): error is KubeError {
  return error instanceof KubeError && (reasons.length === 0 || reasons.includes(error.reason));
}
