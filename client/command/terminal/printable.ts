/**
 * Control characters (C0 but tab, DEL, C1) and the marks that reorder or break lines (Unicode bidirectional controls, line and paragraph
 * separators): in another's text they could recolour, overwrite or fake what a terminal shows, verdicts among it.
 */
const UNPRINTABLE = /[^\P{Cc}\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** One line of text with everything that a terminal would obey written as `\u001b`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** JSON text for people and programs alike: the escapes are JSON's own, so that it parses to the same value. */
export function printableJson(value: object): string {
  return JSON.stringify(value, null, 2).replace(UNPRINTABLE, (character) =>
    character === '\n' ? character : escaped(character),
  );
}
