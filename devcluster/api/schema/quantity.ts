/** resource.Quantity in its canonical form (apimachinery `pkg/api/resource`): no fraction, the largest suffix that loses nothing. */

const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const NANO = 1_000_000_000n;

/** `undefined` when the text is no quantity. `0.1` gives `100m`, `1024Mi` gives `1Gi`, `1e3` stays in exponent form. */
export function canonicalQuantity(written: string): string | undefined {
  const match = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d+))?$/.exec(written);
  if (match === null) return undefined;
  const [, sign, digits = '', binary, decimal, exponent] = match;
  const [whole = '', fraction = ''] = digits.split('.');
  let nano = BigInt(whole + fraction) * NANO;
  let divisor = 10n ** BigInt(fraction.length);
  if (binary !== undefined) nano *= 1024n ** BigInt(BINARY.indexOf(binary));
  const power = exponent === undefined ? 3 * (DECIMAL.indexOf(decimal ?? '') - 3) : Number(exponent);
  if (Math.abs(power) > 60) return undefined;
  if (power >= 0) nano *= 10n ** BigInt(power);
  else divisor *= 10n ** BigInt(-power);
  // What is finer than a nano is rounded up.
  nano = (nano + divisor - 1n) / divisor;
  if (nano === 0n) return '0';
  const minus = sign === '-' ? '-' : '';
  if (binary !== undefined && nano >= 1024n * NANO && nano % NANO === 0n)
    return minus + largest(nano / NANO, 1024n, BINARY);
  if (exponent !== undefined) {
    let power10 = -9;
    let value = nano;
    for (; value % 1000n === 0n; value /= 1000n) power10 += 3;
    return `${minus}${value}${power10 === 0 ? '' : `e${power10}`}`;
  }
  return minus + largest(nano, 1000n, DECIMAL);
}

function largest(value: bigint, base: bigint, suffixes: readonly string[]): string {
  let rest = value;
  let at = 0;
  while (rest % base === 0n && at < suffixes.length - 1) {
    rest /= base;
    at += 1;
  }
  return `${rest}${suffixes[at]}`;
}
