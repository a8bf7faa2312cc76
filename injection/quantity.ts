/** Powers of ten, so that milli-units stay integers. */
const DECIMAL: Readonly<Record<string, number>> = { m: 0, '': 3, k: 6, M: 9, G: 12, T: 15, P: 18, E: 21 };
const BINARY: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };

/**
 * A Kubernetes quantity (`100m`, `0.5`, `64Mi`) in thousandths of its unit; undefined when it is none or finer than a
 * thousandth. The API server rewrites quantities (`1024Mi` is stored as `1Gi`), so they are compared by value.
 */
export function parseQuantity(text: string): bigint | undefined {
  const match = /^([0-9]{1,18})(?:\.([0-9]{1,9}))?([KMGTPE]i|[mkMGTPE]?)$/.exec(text);
  if (match === null) return undefined;
  const fraction = match[2] ?? '';
  const digits = BigInt(`${match[1]}${fraction}`);
  const suffix = match[3] ?? '';
  const binary = BINARY[suffix];
  const scaled =
    binary !== undefined
      ? digits * 1000n * (1n << BigInt(binary))
      : digits * 10n ** BigInt(DECIMAL[suffix] ?? 3);
  const divisor = 10n ** BigInt(fraction.length);
  return scaled % divisor === 0n ? scaled / divisor : undefined;
}
