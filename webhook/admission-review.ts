import type { Refusal } from '../formats/bytes/result.ts';
import type { PatchOperation } from '../injection/json-patch.ts';
import type { Pod } from '../injection/pod.ts';

/** The part of an AdmissionReview's request (admission.k8s.io/v1) that the webhook reads. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly namespace: string;
  readonly operation: string;
  readonly username: string;
  readonly pod: Pod;
}

export interface AdmissionResponse {
  readonly uid: string;
  readonly allowed: boolean;
  readonly patchType?: 'JSONPatch';
  /** Base64 of an RFC 6902 document. */
  readonly patch?: string;
  readonly warnings?: readonly string[];
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
}

export interface AdmissionReview {
  readonly apiVersion: 'admission.k8s.io/v1';
  readonly kind: 'AdmissionReview';
  readonly response: AdmissionResponse;
}

export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

export function text(value: unknown, name: string): string | undefined {
  const found = member(value, name);
  return typeof found === 'string' ? found : undefined;
}

/** What every review of this core resource has; undefined for anything else. */
export function readRequest(
  body: unknown,
  plural: string,
): { readonly uid: string; readonly operation: string; readonly request: unknown } | undefined {
  const request = member(body, 'request');
  const uid = text(request, 'uid');
  const operation = text(request, 'operation');
  const resource = member(request, 'resource');
  if (text(body, 'apiVersion') !== 'admission.k8s.io/v1' || text(body, 'kind') !== 'AdmissionReview')
    return undefined;
  if (uid === undefined || operation === undefined) return undefined;
  if (text(resource, 'resource') !== plural || text(resource, 'group') !== '') return undefined;
  return { uid, operation, request };
}

/** The request of a review of a pod; undefined for anything else. The API server has checked the pod against its own schema. */
export function readReview(body: unknown): AdmissionRequest | undefined {
  const found = readRequest(body, 'pods');
  const object = member(found?.request, 'object');
  if (found === undefined || typeof object !== 'object' || object === null) return undefined;
  const { uid, operation, request } = found;
  return {
    uid,
    operation,
    namespace: text(request, 'namespace') ?? '',
    username: text(member(request, 'userInfo'), 'username') ?? '',
    pod: object,
  };
}

function review(response: AdmissionResponse): AdmissionReview {
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response };
}

export function allow(
  uid: string,
  patch: readonly PatchOperation[] = [],
  warnings: readonly string[] = [],
): AdmissionReview {
  return review({
    uid,
    allowed: true,
    ...(patch.length > 0 && {
      patchType: 'JSONPatch' as const,
      patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
    }),
    // The API server cuts a warning at 256 characters when they are many.
    ...(warnings.length > 0 && { warnings }),
  });
}

/** What `kubectl` prints is the message alone, so it holds what was wrong and what to do. */
export function deny(uid: string, refusal: Refusal): AdmissionReview {
  return review({
    uid,
    allowed: false,
    status: {
      code: 403,
      reason: 'Forbidden',
      message: `${refusal.message}. ${refusal.remedy} (${refusal.code})`,
    },
  });
}
