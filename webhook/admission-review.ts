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

/** Characters of a request's uid: a UUID has 36. It is said again in the answer, and to write megabytes down as ASCII would hold everybody up. */
const MAX_UID = 253;
/** Characters of a refusal. What a pod's author wrote is cut where it is shown, but a stranger's pod follows no schema: a port may be a megabyte. */
const MAX_MESSAGE = 4096;

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
  if (uid === undefined || uid.length > MAX_UID || operation === undefined) return undefined;
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

/** JSON in ASCII: nobody has to look through an answer, as long as its pod, for how many bytes it has. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The text of an AdmissionReview that answers one, ASCII. Put together by hand: to search the patch for what must be escaped is wasted. */
function review(uid: string, rest: string): string {
  return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":${asciiJson(uid)},${rest}}}`;
}

/** Replicas get the same patch (`injection` gives the same array), and to write it down is most of an answer. */
const written = new WeakMap<readonly PatchOperation[], string>();

/** A patch as the response's field has it: JSON as base64. */
function base64Of(patch: readonly PatchOperation[]): string {
  const known = written.get(patch);
  if (known !== undefined) return known;
  const encoded = Buffer.from(JSON.stringify(patch)).toString('base64');
  written.set(patch, encoded);
  return encoded;
}

/** The answer that lets an object pass, changed by an RFC 6902 document. */
export function allow(
  uid: string,
  patch: readonly PatchOperation[] = [],
  warnings: readonly string[] = [],
): string {
  // The API server cuts a warning at 256 characters when they are many.
  const allowed = `"allowed":true${warnings.length === 0 ? '' : `,"warnings":${asciiJson(warnings)}`}`;
  const patched = patch.length === 0 ? '' : `,"patchType":"JSONPatch","patch":"${base64Of(patch)}"`;
  return review(uid, `${allowed}${patched}`);
}

/** What `kubectl` prints is the message alone, so it holds what was wrong and what to do. */
export function deny(uid: string, refusal: Refusal): string {
  const message = `${refusal.message.slice(0, MAX_MESSAGE)}. ${refusal.remedy} (${refusal.code})`;
  return review(uid, `"allowed":false,"status":${asciiJson({ code: 403, reason: 'Forbidden', message })}`);
}
