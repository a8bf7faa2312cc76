/** The release's admission policies, as the chart has them. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';

export interface Registered {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly policyName?: string;
    readonly validationActions?: readonly string[];
    readonly failurePolicy?: string;
    readonly matchConstraints?: {
      readonly namespaceSelector?: { readonly matchExpressions: readonly object[] };
      readonly resourceRules: readonly { readonly scope: string }[];
    };
    readonly validations?: readonly { readonly message?: string; readonly reason?: string }[];
  };
}

/** Objects of one of the chart's files. */
export const objectsOf = (file: string): Registered[] =>
  parseAllDocuments(
    readFileSync(new URL(`../../charts/licensing/files/${file}`, import.meta.url), 'utf8'),
  ).map((document) => document.toJS() as Registered);
/** What the release brings of them. */
export const POLICY_OBJECTS = ['admission.yaml', 'admission-objects.yaml'].flatMap(objectsOf);
export const policyName = (short: string): string => `${short}.enclave-licensing.dev`;
/** The one policy that warns, and refuses nothing. */
export const WARNS = 'templates.enclave-licensing.dev';
export const POLICIES = POLICY_OBJECTS.filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
export const BINDINGS = POLICY_OBJECTS.filter(({ kind }) => kind === 'ValidatingAdmissionPolicyBinding');
