const MAX_LENGTH = 200;

/** A text of the pod's author as messages show it: quoted, control characters escaped, cut. */
export function shown(text: unknown): string {
  const whole = JSON.stringify(text) ?? 'undefined';
  return whole.length <= MAX_LENGTH ? whole : `${whole.slice(0, MAX_LENGTH)}…`;
}
