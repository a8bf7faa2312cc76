function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Structural equality of JSON values; to the API an absent member, an undefined one and null are the same. */
export function sameJson(a: unknown, b: unknown): boolean {
  if ((a ?? undefined) === (b ?? undefined)) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => sameJson(item, b[index]))
    );
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
    if (!sameJson(a[key], b[key])) return false;
  return true;
}
