import { type Refusal, refuse } from '../formats/bytes/result.ts';

/** Why a pod is refused. */
export type InjectionCode =
  | 'label-invalid'
  | 'annotation-invalid'
  | 'annotation-missing'
  | 'annotation-conflict'
  | 'prefix-reserved'
  | 'name-reserved'
  /** A namespace, the files, the ports or the kernel of the node. */
  | 'host-namespace'
  | 'static-pod'
  /** More than a statement can say. */
  | 'pod-too-large'
  | 'process-namespace-shared'
  | 'ephemeral-container'
  | 'windows'
  | 'image-unpinned'
  | 'token-foreign'
  | 'volume-missing'
  | 'sidecar-missing'
  | 'sidecar-differs'
  | 'roots-unknown'
  | 'profile-invalid'
  | 'configuration-invalid';

/** A pod that is refused, and why. */
export type Refused = Refusal<InjectionCode>;

export function refusePod(code: InjectionCode, message: string, remedy: string): Refused {
  return refuse(code, message, remedy);
}
