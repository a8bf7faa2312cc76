import { KubeError } from '../../../platform/kube/kube-error.ts';

/**
 * What the API server's answer to a pod's creation means. `refused` is final, in its words: admission, quota, validation, rights. `uncalled`: a webhook
 * could not be called, which fails closed. `again` may pass: an overload, a server that restarts, a connection that broke.
 */
export function judgeCreateFailure(error: unknown): 'exists' | 'refused' | 'uncalled' | 'again' {
  if (!(error instanceof KubeError)) return 'again';
  if (error.reason === 'AlreadyExists') return 'exists';
  if (/failed calling webhook/.test(error.message)) return 'uncalled';
  return isPassing(error) ? 'again' : 'refused';
}

/** Does trying again help, for any other call? */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof KubeError)) return true;
  // 401: the token is being rotated.
  return error.status === 401 || error.status === 429 || error.status >= 500;
}
