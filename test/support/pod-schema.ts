import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';

/**
 * The part of an API server's OpenAPI document that describes a pod, without its prose. The committed one is of the kube-apiserver that
 * `make test-kube` builds; test/injection/golden-admission.test.ts compares it with what that serves.
 */
export interface PodSchema {
  readonly definitions: Readonly<Record<string, object>>;
}

const POD = 'io.k8s.api.core.v1.Pod';
const REFERENCE = '#/definitions/';

/** @param openapi what `/openapi/v2` serves */
export function podSchemaOf(openapi: PodSchema): PodSchema {
  const definitions: Record<string, object> = {};
  const take = (name: string): void => {
    const definition = openapi.definitions[name];
    if (name in definitions || definition === undefined) return;
    definitions[name] = JSON.parse(JSON.stringify(definition), (key, value) =>
      key === 'description' && typeof value === 'string' ? undefined : value,
    ) as object;
    for (const [, next = ''] of JSON.stringify(definition).matchAll(/"#\/definitions\/([^"]+)"/g)) take(next);
  };
  take(POD);
  return {
    definitions: Object.fromEntries(Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

export const POD_SCHEMA_FILE = new URL('../golden/api/pod.schema.json', import.meta.url);

interface Definition {
  readonly type?: string;
  readonly format?: string;
  readonly properties?: object;
}

/** Ready for JSON Schema: OpenAPI 2 has no word for a number or a text. Closed: without fields that it does not know. */
function definitions(closed: boolean): object {
  return JSON.parse(readFileSync(POD_SCHEMA_FILE, 'utf8'), (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    const { format, properties }: Definition = value;
    if (format === 'int-or-string') return { type: ['integer', 'string'] };
    return closed && properties !== undefined ? { ...value, additionalProperties: false } : value;
  }) as object;
}

const FORMATS = { 'date-time': true, int32: true, int64: true } as const;

function compile(kind: string, closed: boolean): (value: unknown) => string[] {
  const ajv = new Ajv({ strict: false, allErrors: true, formats: FORMATS });
  const validate = ajv.compile({ ...definitions(closed), $ref: `${REFERENCE}${kind}` });
  return (value) => {
    // Null is absent to the API.
    const present: unknown = JSON.parse(JSON.stringify(value), (_key, member) =>
      Array.isArray(member) || typeof member !== 'object' || member === null
        ? member
        : Object.fromEntries(Object.entries(member).filter(([, each]) => each !== null)),
    );
    validate(present);
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };
}

/** What is wrong with a pod by the API's schema, which takes fields that it does not know. */
export const podSchemaErrors = compile(POD, false);
/** The same for a container and a volume without unknown fields. */
export const strictContainerErrors = compile('io.k8s.api.core.v1.Container', true);
export const strictVolumeErrors = compile('io.k8s.api.core.v1.Volume', true);
