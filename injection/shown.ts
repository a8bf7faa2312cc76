const MAX_LENGTH = 200;
/** What JSON leaves as it is, and a terminal or the order of a line's letters obeys (Unicode: control, format and line separators). */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text of the pod's author as messages show it: quoted, cut, what cannot be seen escaped. */
export function shown(text: unknown): string {
  const whole = JSON.stringify(text) ?? 'undefined';
  const cut = whole.length <= MAX_LENGTH ? whole : `${whole.slice(0, MAX_LENGTH)}…`;
  return cut.replace(UNSEEN, (unseen) => `\\u${(unseen.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}
