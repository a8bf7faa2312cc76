import { styleText } from 'node:util';
import { printable } from './printable.ts';

const STYLES = {
  good: 'green',
  bad: ['bold', 'red'],
  warning: 'yellow',
  quiet: 'dim',
  title: 'bold',
} as const satisfies Record<string, Parameters<typeof styleText>[0]>;

/** Part of a line, with what it means to its reader. */
export interface Segment {
  readonly text: string;
  readonly style: keyof typeof STYLES;
}

/** A line for a person. Its texts may come from a server: they are made printable when it is written, never before. */
export type Line = string | readonly (string | Segment)[];

/** @param colour false where nobody looks, or where colours are not wanted */
export function styled(line: Line, colour: boolean): string {
  if (typeof line === 'string') return printable(line);
  return line
    .map((part) => {
      if (typeof part === 'string') return printable(part);
      const text = printable(part.text);
      return colour && text !== ''
        ? styleText([STYLES[part.style]].flat(), text, { validateStream: false })
        : text;
    })
    .join('');
}

/** Text in lines of at most `width`, broken at spaces where there are some, and within words that are longer. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of printable(text).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
    for (; line.length > width; line = line.slice(width)) lines.push(line.slice(0, width));
  }
  return [...lines, line];
}

/** One row of a table below the other: cells wrapped to their widths, what goes beyond a line aligned below. */
export function row(cells: readonly (string | Segment)[], widths: readonly number[]): Line[] {
  const columns = cells.map((cell, i) => wrap(typeof cell === 'string' ? cell : cell.text, widths[i] ?? 1));
  const height = Math.max(...columns.map(({ length }) => length));
  return Array.from({ length: height }, (_, y) =>
    columns.flatMap((column, x): (string | Segment)[] => {
      const cell = cells[x];
      const text = column[y] ?? '';
      const gap = x === columns.length - 1 ? '' : ' '.repeat((widths[x] ?? 1) - text.length + GAP);
      return [typeof cell === 'object' ? { text, style: cell.style } : text, gap];
    }),
  );
}

/** Blanks between columns. */
export const GAP = 2;
