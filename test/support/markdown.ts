/** GitHub's name for a heading. */
export function anchor(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** What stands under the heading of that anchor, smaller headings included; undefined when there is none. Blocks of code are left out: their comments look like headings. */
export function section(text: string, fragment: string): string | undefined {
  const plain = text.replace(/^```.*?^```/gms, '');
  const headings = [...plain.matchAll(/^(#+) (.*)$/gm)].map(({ index, 1: marks = '', 2: heading = '' }) => ({
    index,
    level: marks.length,
    name: anchor(heading),
  }));
  const at = headings.findIndex(({ name }) => name === fragment);
  const begin = headings[at];
  if (begin === undefined) return undefined;
  const end = headings.slice(at + 1).find(({ level }) => level <= begin.level);
  return plain.slice(begin.index, end?.index);
}
