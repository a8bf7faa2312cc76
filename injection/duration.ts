const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Whole seconds of `90s`, `10m` or `24h`; undefined when it is none of these. */
export function parseDuration(text: string): number | undefined {
  const match = /^([1-9][0-9]{0,8})([smh])$/.exec(text);
  const unit = UNITS[match?.[2] ?? ''];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}
