import { type Refusal, refuse } from '../formats/bytes/result.ts';

/** Why a pod is refused. */
export type InjectionCode =
  | 'label-invalid'
  | 'annotation-invalid'
  | 'annotation-missing'
  | 'annotation-conflict'
  | 'prefix-reserved'
  | 'name-reserved'
  /** A namespace, the files or the devices of the node. */
  | 'host-namespace'
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

export function refusePod(code: InjectionCode, message: string, remedy: string): Refusal<InjectionCode> {
  return refuse(code, message, remedy);
}
