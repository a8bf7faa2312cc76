import { type Result, success } from '../formats/bytes/result.ts';
import { ANNOTATIONS } from '../names/labels.ts';
import { ANNOTATION_SCHEMAS } from './annotations.ts';
import { type InjectionCode, refusePod } from './code.ts';
import { isPinned } from './pinned-image.ts';
import type { EnvironmentVariable, ResourceRequirements } from './pod.ts';

/** `spec` of an EnclaveProfile (enclave-licensing.dev/v1alpha1): the app of an enclave, as an operator publishes it. */
export interface EnclaveProfile {
  /** `name@sha256:<64 hex digits>`. */
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly EnvironmentVariable[];
  /** These six as the annotations of the same names. */
  readonly upstream: string;
  readonly mode?: string;
  readonly auth?: string;
  readonly alpn?: string;
  readonly keyType?: string;
  readonly certificateLifetime?: string;
  readonly resources?: ResourceRequirements;
  /** Default `default`. */
  readonly serviceAccountName?: string;
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value.length <= 32_768;
const isTexts: Check = (value) => Array.isArray(value) && value.length <= 1024 && value.every(isText);

function isMembers(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEnvironment(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length <= 1024 &&
    value.every(
      (each) =>
        isMembers(each) &&
        isText(each['name']) &&
        (each['value'] === undefined || isText(each['value'])) &&
        Object.keys(each).every((name) => name === 'name' || name === 'value'),
    )
  );
}

function isResources(value: unknown): boolean {
  return (
    isMembers(value) &&
    Object.entries(value).every(
      ([name, list]) =>
        (name === 'requests' || name === 'limits') && isMembers(list) && Object.values(list).every(isText),
    )
  );
}

function asAnnotation(key: keyof typeof ANNOTATION_SCHEMAS): readonly [Check, string] {
  const schema = ANNOTATION_SCHEMAS[key];
  return [(value) => typeof value === 'string' && schema.accepts(value), schema.allowed];
}

const FIELDS: Readonly<Record<keyof EnclaveProfile, readonly [Check, string]>> = {
  image: [(value) => typeof value === 'string' && isPinned(value), 'name@sha256:<manifest digest>'],
  command: [isTexts, 'a list of strings'],
  args: [isTexts, 'a list of strings'],
  env: [isEnvironment, 'a list of {name, value}'],
  upstream: asAnnotation('upstream'),
  mode: asAnnotation('mode'),
  auth: asAnnotation('auth'),
  alpn: asAnnotation('alpn'),
  keyType: asAnnotation('keyType'),
  certificateLifetime: asAnnotation('certificateLifetime'),
  resources: [isResources, '{requests: {name: quantity}, limits: {name: quantity}}'],
  serviceAccountName: [
    (value) => typeof value === 'string' && /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(value),
    'a name of a service account',
  ],
};
const REQUIRED: readonly (keyof EnclaveProfile)[] = ['image', 'upstream'];

function isProfile(value: Readonly<Record<string, unknown>>): value is typeof value & EnclaveProfile {
  return Object.entries(FIELDS).every(([name, [check]]) => value[name] === undefined || check(value[name]));
}

/** Reads a profile's spec; unknown fields refuse, so that a typing error never becomes a default. */
export function parseProfile(spec: unknown): Result<EnclaveProfile, InjectionCode> {
  const no = (message: string, remedy: string) => refusePod('profile-invalid', message, remedy);
  if (!isMembers(spec)) return no('the profile has no spec', 'Write at least spec.image and spec.upstream.');
  for (const name of Object.keys(spec))
    if (!Object.hasOwn(FIELDS, name))
      return no(`spec.${name} is unknown`, `Known are ${Object.keys(FIELDS).join(', ')}.`);
  for (const name of REQUIRED)
    if (spec[name] === undefined) return no(`spec.${name} is missing`, `Write ${FIELDS[name][1]}.`);
  for (const [name, [check, allowed]] of Object.entries(FIELDS))
    if (spec[name] !== undefined && !check(spec[name]))
      return no(
        `spec.${name} is ${JSON.stringify(spec[name]).slice(0, 200)}, which is not allowed`,
        `Write ${allowed}.`,
      );
  if (spec['auth'] === 'jwt' && spec['mode'] !== 'http')
    return no(
      `spec.auth is "jwt" (${ANNOTATIONS.auth}), which needs spec.mode "http"`,
      'Set spec.mode to http.',
    );
  return isProfile(spec) ? success(spec) : no('the spec is malformed', 'Compare it with docs/injection.md.');
}
