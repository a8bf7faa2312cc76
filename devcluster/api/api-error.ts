import type { Fields } from './object.ts';
import type { Resource } from './resource.ts';

/** One entry of `details.causes` of a 422: field path, machine-readable reason, text. */
export interface Cause {
  readonly field: string;
  readonly reason: string;
  readonly message: string;
}

type Named = Pick<Resource, 'group' | 'plural' | 'kind'>;

/** An answer other than success: a metav1.Status with the reason and the words that kube-apiserver uses. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly details: Fields | undefined;

  constructor(status: number, reason: string, message: string, details?: Fields) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.details = details;
  }

  /** metav1.Status. */
  toStatus(): Fields {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.status,
    };
  }
}

/** `pods` or `leases.coordination.k8s.io`: how messages name a resource. */
function qualified(resource: Named): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

function details(resource: Named, name: string, kind = resource.plural): Fields {
  return {
    ...(name === '' ? {} : { name }),
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind,
  };
}

export function notFound(resource: Named, name: string): ApiError {
  return new ApiError(404, 'NotFound', `${qualified(resource)} "${name}" not found`, details(resource, name));
}

export function alreadyExists(resource: Named, name: string): ApiError {
  const message = `${qualified(resource)} "${name}" already exists`;
  return new ApiError(409, 'AlreadyExists', message, details(resource, name));
}

export function conflict(resource: Named, name: string, why?: string): ApiError {
  const reason =
    why ?? 'the object has been modified; please apply your changes to the latest version and try again';
  return new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${reason}`,
    details(resource, name),
  );
}

export function invalid(resource: Named, name: string, causes: readonly Cause[]): ApiError {
  const listed = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const said = listed.length === 1 ? listed[0] : `[${listed.join(', ')}]`;
  const group = resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`;
  return new ApiError(422, 'Invalid', `${group} "${name}" is invalid: ${said}`, {
    ...details(resource, name, resource.kind),
    causes: causes.map(({ reason, message, field }) => ({ reason, message, field })),
  });
}

export function forbidden(resource: Named, name: string, why: string): ApiError {
  const named = name === '' ? qualified(resource) : `${qualified(resource)} "${name}"`;
  return new ApiError(403, 'Forbidden', `${named} is forbidden: ${why}`, details(resource, name));
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, 'BadRequest', message);
}

/** A resource version that history no longer reaches. */
export function expired(message: string): ApiError {
  return new ApiError(410, 'Expired', message);
}

export function methodNotAllowed(): ApiError {
  return new ApiError(
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    {},
  );
}

export function unsupportedMediaType(accepted: readonly string[]): ApiError {
  return new ApiError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
}

export function internalError(why: string): ApiError {
  return new ApiError(500, 'InternalError', `Internal error occurred: ${why}`, {
    causes: [{ message: why }],
  });
}

/** field.Error in the words of apimachinery's `util/validation/field`. */
export const causes = {
  required: (field: string, detail = ''): Cause => ({
    field,
    reason: 'FieldValueRequired',
    message: detail === '' ? 'Required value' : `Required value: ${detail}`,
  }),
  invalid: (field: string, value: unknown, detail: string): Cause => ({
    field,
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${JSON.stringify(value)}: ${detail}`,
  }),
  duplicate: (field: string, value: unknown): Cause => ({
    field,
    reason: 'FieldValueDuplicate',
    message: `Duplicate value: ${JSON.stringify(value)}`,
  }),
  notSupported: (field: string, value: unknown, supported: readonly string[]): Cause => ({
    field,
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported.map((each) => `"${each}"`).join(', ')}`,
  }),
  forbidden: (field: string, detail: string): Cause => ({
    field,
    reason: 'FieldValueForbidden',
    message: `Forbidden: ${detail}`,
  }),
  notFound: (field: string, value: unknown): Cause => ({
    field,
    reason: 'FieldValueNotFound',
    message: `Not found: ${JSON.stringify(value)}`,
  }),
};
