const FACTORS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['m', 1e-3],
  ['k', 1e3],
  ['M', 1e6],
  ['G', 1e9],
  ['T', 1e12],
  ['Ki', 2 ** 10],
  ['Mi', 2 ** 20],
  ['Gi', 2 ** 30],
  ['Ti', 2 ** 40],
]);

/** A resource quantity (`250m`, `64Mi`, `1e3`) as a number; undefined when it is none. */
export function parseQuantity(text: string): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?)([A-Za-z]*)$/.exec(text);
  const factor = FACTORS.get(match?.[2] ?? '');
  return match?.[1] === undefined || factor === undefined ? undefined : Number(match[1]) * factor;
}
