const UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** `1h30m`, `24h`, `500ms` as milliseconds; undefined when it is not a duration. Largest unit first, each at most once. */
export function parseDuration(text: string): number | undefined {
  const match = /^(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9})s)?(?:(\d{1,9})ms)?$/.exec(text);
  if (match === null || text === '') return undefined;
  const [, h, m, s, ms] = match;
  let total = 0;
  for (const [unit, count] of Object.entries({ h, m, s, ms }))
    if (count !== undefined) total += Number(count) * (UNITS.get(unit) ?? 0);
  return total;
}
