/** Figures that survive a noisy machine: medians of alternating rounds, and multiples of a floor measured beside them. */

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2;
}

function lowerQuartile(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 2] ?? Number.NaN;
}

/**
 * Microseconds a call of each, in `rounds` alternating rounds of `calls` calls: the lower quartile, because a round that
 * another process interrupted says nothing. Short rounds are interrupted seldom.
 */
export function alternate(
  subjects: Readonly<Record<string, (call: number) => void>>,
  rounds: number,
  calls: number,
): Record<string, number> {
  const times = new Map(Object.keys(subjects).map((name) => [name, [] as number[]]));
  for (let round = -1; round < rounds; round += 1)
    for (const [name, subject] of Object.entries(subjects)) {
      const begun = performance.now();
      for (let call = 0; call < calls; call += 1) subject(call);
      const each = ((performance.now() - begun) * 1000) / calls;
      // The first round warms up.
      if (round >= 0) times.get(name)?.push(each);
    }
  return Object.fromEntries([...times].map(([name, values]) => [name, lowerQuartile(values)]));
}
