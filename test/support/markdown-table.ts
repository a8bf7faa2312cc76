import { readFileSync } from 'node:fs';

/**
 * The rows of the first table under a heading of a document, header first, cells trimmed. A document's table is then the test's: what it
 * says is tried, and what is tried it says.
 */
export function markdownTable(document: string, heading: string): string[][] {
  const text = readFileSync(new URL(`../../${document}`, import.meta.url), 'utf8');
  const section = text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0];
  const lines = section?.split('\n') ?? [];
  const start = lines.findIndex((line) => line.startsWith('|'));
  if (start < 0) throw new Error(`${document}: no table under "${heading}"`);
  const end = lines.findIndex((line, at) => at > start && !line.startsWith('|'));
  const rows = lines.slice(start, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return rows.filter((_, at) => at !== 1);
}

/** What stands between backticks in a cell. */
export function quoted(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
}
