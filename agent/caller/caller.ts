import type { Statement } from '../../formats/evidence/statement.ts';
import type { InjectedSidecar } from '../../injection/read-sidecar.ts';

/** What a statement says of a pod, from the API server's view alone. */
export type Claims = Pick<Statement, 'sub' | 'pod' | 'access'>;

/** A pod of this node, known to be the one at the other end of a connection. */
export interface Caller {
  readonly claims: Claims;
  readonly sidecar: InjectedSidecar;
  /** Being deleted: what it still serves ends by itself, and nothing new is said of it. */
  readonly terminating: boolean;
}
