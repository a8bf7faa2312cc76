import { type Result, success } from '../formats/bytes/result.ts';
import { ANNOTATIONS, INJECTED_ANNOTATION, LABEL_PREFIX } from '../names/labels.ts';
import { DEFAULT_ALPN, EVIDENCE_ALPN } from '../names/wire.ts';
import { type InjectionCode, refusePod } from './code.ts';
import { parseDuration } from './duration.ts';
import { parseQuantity } from './quantity.ts';
import type { SidecarResources, SidecarSettings } from './settings.ts';
import { shown } from './shown.ts';
import { parseUpstream, UPSTREAM_FORMS } from './upstream.ts';

type Key = keyof typeof ANNOTATIONS;

interface Schema {
  readonly accepts: (value: string) => boolean;
  /** What is allowed, as a person reads it. */
  readonly allowed: string;
  readonly default?: string;
}

function oneOf(...values: string[]): Schema {
  return {
    accepts: (value) => values.includes(value),
    allowed: values.join(' or '),
    default: values[0] ?? '',
  };
}

function between(text: string, least: string, most: string): boolean {
  const [value, low, high] = [parseQuantity(text), parseQuantity(least), parseQuantity(most)];
  return value !== undefined && low !== undefined && high !== undefined && value >= low && value <= high;
}

function isAlpnList(value: string): boolean {
  const names = value.split(',');
  return (
    names.length <= 8 &&
    new Set(names).size === names.length &&
    names.every((name) => /^[A-Za-z0-9._+/-]{1,64}$/.test(name) && name !== EVIDENCE_ALPN)
  );
}

/** One schema an annotation (docs/injection.md). */
export const ANNOTATION_SCHEMAS: Readonly<Record<Key, Schema>> = {
  upstream: { accepts: (value) => parseUpstream(value) !== undefined, allowed: UPSTREAM_FORMS },
  mode: oneOf('tcp', 'http'),
  alpn: {
    accepts: isAlpnList,
    allowed: `1 to 8 different protocol names of A-Z a-z 0-9 . _ + / -, comma-separated, ${EVIDENCE_ALPN} not among them`,
    default: DEFAULT_ALPN,
  },
  auth: oneOf('mtls', 'jwt'),
  keyType: oneOf('p256', 'p384'),
  certificateLifetime: {
    accepts: (value) => {
      const seconds = parseDuration(value);
      return seconds !== undefined && seconds >= 600 && seconds <= 30 * 24 * 3600;
    },
    allowed: 'a duration like 10m or 24h, from 10m to 720h',
    default: '24h',
  },
  sidecarCpu: {
    accepts: (value) => between(value, '1m', '8'),
    allowed: 'a quantity from 1m to 8',
    default: '20m',
  },
  sidecarMemory: {
    accepts: (value) => between(value, '64Mi', '4Gi'),
    allowed: 'a quantity from 64Mi to 4Gi',
    default: '128Mi',
  },
  ownerKey: {
    accepts: (value) => /^[0-9a-f]{64}$/.test(value),
    allowed: 'the lower-case hex SHA-256 of the owner key as DER SubjectPublicKeyInfo (64 digits)',
  },
};

const KEYS = Object.keys(ANNOTATIONS) as readonly Key[];
const KNOWN: ReadonlySet<string> = new Set([...Object.values(ANNOTATIONS), INJECTED_ANNOTATION]);

export interface PodWishes {
  readonly settings: Omit<SidecarSettings, 'enclave' | 'enclaveDomain' | 'roots'>;
  readonly resources: SidecarResources;
  readonly warnings: readonly string[];
}

/** An API server passes on 4,096 characters of warnings, and cuts each at 256. */
const MAX_WARNINGS = 8;

function warningsOf(annotations: Readonly<Record<string, string>>): string[] {
  const warnings: string[] = [];
  let unknown = 0;
  for (const name in annotations) {
    if (!name.startsWith(LABEL_PREFIX) || KNOWN.has(name)) continue;
    unknown += 1;
    if (unknown <= MAX_WARNINGS)
      warnings.push(
        `annotation ${shown(name.slice(0, 120))} is unknown and does nothing: see docs/injection.md`,
      );
  }
  if (unknown > MAX_WARNINGS) warnings.push(`${unknown - MAX_WARNINGS} more annotations are unknown`);
  return warnings;
}

/** The annotations of an enclave pod, judged one by one and then together. */
export function readAnnotations(
  annotations: Readonly<Record<string, string>>,
): Result<PodWishes, InjectionCode> {
  const values: Partial<Record<Key, string>> = {};
  for (const key of KEYS) {
    const name = ANNOTATIONS[key];
    const schema = ANNOTATION_SCHEMAS[key];
    const written = annotations[name] ?? undefined;
    const value = written ?? schema.default;
    if (value === undefined) continue;
    // What we write ourselves need not be judged each time.
    if (written !== undefined && !schema.accepts(written))
      return refusePod(
        'annotation-invalid',
        `annotation ${name} is ${shown(written)}, which is not allowed`,
        `Write ${schema.allowed}.`,
      );
    values[key] = value;
  }
  const { upstream, ownerKey } = values;
  if (upstream === undefined)
    return refusePod(
      'annotation-missing',
      `annotation ${ANNOTATIONS.upstream} is missing: the sidecar must know where the app listens`,
      `Write ${UPSTREAM_FORMS}.`,
    );
  if (values.auth === 'jwt' && values.mode !== 'http')
    return refusePod(
      'annotation-conflict',
      `annotation ${ANNOTATIONS.auth} is "jwt", but ${ANNOTATIONS.mode} is "${values.mode}": a token needs HTTP`,
      `Set ${ANNOTATIONS.mode} to http, or ${ANNOTATIONS.auth} to mtls.`,
    );
  if (values.auth !== 'jwt' && ownerKey === undefined)
    return refusePod(
      'annotation-missing',
      `annotation ${ANNOTATIONS.ownerKey} is missing: nobody could connect`,
      `Write ${ANNOTATION_SCHEMAS.ownerKey.allowed}.`,
    );
  const warnings = warningsOf(annotations);
  return success({
    settings: {
      ownerKeySha256: ownerKey,
      mode: values.mode === 'http' ? 'http' : 'tcp',
      upstream,
      auth: values.auth === 'jwt' ? 'jwt' : 'mtls',
      alpn: values.alpn ?? DEFAULT_ALPN,
      keyType: values.keyType === 'p384' ? 'p384' : 'p256',
      certificateLifetime: values.certificateLifetime ?? '24h',
    },
    resources: { cpu: values.sidecarCpu ?? '20m', memory: values.sidecarMemory ?? '128Mi' },
    warnings,
  });
}
