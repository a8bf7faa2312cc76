/** What an API server fills in where nothing is written, by the member's name. An empty list says nothing either. */
const DEFAULTS: Readonly<Record<string, readonly unknown[]>> = {
  matchPolicy: ['Equivalent'],
  reinvocationPolicy: ['Never'],
  scope: ['*'],
  conversion: [{ strategy: 'None' }],
  preserveUnknownFields: [false],
  port: [443],
  protocol: ['TCP'],
  namespaceSelector: [{}],
  objectSelector: [{}],
};

/**
 * Where a stored object is another than the one that was applied: paths, at most ten. What the API server adds is no difference; whatever else is added, removed or
 * changed is.
 * @param ignored names of members that are written by others
 */
export function differences(wanted: unknown, stored: unknown, ignored: readonly string[] = []): string[] {
  return [...walk(wanted, stored, '', '', ignored)].slice(0, 10);
}

function* walk(
  wanted: unknown,
  stored: unknown,
  path: string,
  key: string,
  ignored: readonly string[],
): Generator<string> {
  if (ignored.includes(key)) return;
  if (wanted === undefined) {
    if (!isDefault(key, stored)) yield path;
  } else if (Array.isArray(wanted) && Array.isArray(stored)) {
    if (wanted.length !== stored.length) yield path;
    else for (const [i, each] of wanted.entries()) yield* walk(each, stored[i], `${path}[${i}]`, '', ignored);
  } else if (isRecord(wanted) && isRecord(stored)) {
    for (const name of new Set([...Object.keys(wanted), ...Object.keys(stored)]))
      yield* walk(wanted[name], stored[name], path === '' ? name : `${path}.${name}`, name, ignored);
  } else if (stored === undefined ? !isDefault(key, wanted) : wanted !== stored) yield path;
}

function isDefault(key: string, value: unknown): boolean {
  if (value === undefined) return true;
  if (Array.isArray(value)) return value.length === 0;
  return (DEFAULTS[key] ?? []).some((each) => JSON.stringify(each) === JSON.stringify(value));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
