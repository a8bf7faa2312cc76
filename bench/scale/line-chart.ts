/** Points of one line, by x. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

export interface LineChart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
}

const [WIDTH, HEIGHT] = [760, 360];
const BOX = { left: 64, right: 220, top: 40, bottom: 48 };
const COLOURS = ['#1b6ca8', '#c1440e', '#2e7d32', '#6a1b9a', '#8d6e00', '#00838f', '#ad1457', '#455a64'];

/** An SVG that reads on light and on dark ground. */
export function lineChart({ title, x, y, series }: LineChart): string {
  const all = series.flatMap(({ points }) => points);
  const [mostX, mostY] = [0, 1].map((axis) => niceEnd(Math.max(...all.map((point) => point[axis] ?? 0), 0)));
  const atX = (value: number): number => BOX.left + (value / (mostX ?? 1)) * (WIDTH - BOX.left - BOX.right);
  const atY = (value: number): number =>
    HEIGHT - BOX.bottom - (value / (mostY ?? 1)) * (HEIGHT - BOX.top - BOX.bottom);
  const text = (left: number, top: number, words: string, more = ''): string =>
    `<text x="${left.toFixed(1)}" y="${top.toFixed(1)}" ${more}>${words}</text>`;
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const grid = ticks.flatMap((part) => {
    const [valueX, valueY] = [part * (mostX ?? 1), part * (mostY ?? 1)];
    return [
      `<path d="M${BOX.left} ${atY(valueY).toFixed(1)}H${WIDTH - BOX.right}" stroke="#999" stroke-width="0.5"/>`,
      text(BOX.left - 8, atY(valueY) + 4, String(valueY), 'text-anchor="end"'),
      text(atX(valueX), HEIGHT - BOX.bottom + 18, String(valueX), 'text-anchor="middle"'),
    ];
  });
  const ends = spread(series.map(({ points }) => atY(points.at(-1)?.[1] ?? 0)));
  const lines = series.flatMap(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = points.map(([px, py]) => `${atX(px).toFixed(1)} ${atY(py).toFixed(1)}`).join('L');
    return [
      `<path d="M${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      text(WIDTH - BOX.right + 8, (ends[i] ?? 0) + 4, name, `fill="${colour}"`),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#777">`,
    `<title>${title}</title>`,
    text(BOX.left, 20, title, 'font-size="14"'),
    text((BOX.left + WIDTH - BOX.right) / 2, HEIGHT - 10, x, 'text-anchor="middle"'),
    text(BOX.left - 40, BOX.top - 8, y),
    ...grid,
    ...lines,
    '</svg>\n',
  ].join('\n');
}

/** The next 1, 2, 4 or 5 times a power of ten: its quarters are short numbers. */
function niceEnd(most: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1e-9)));
  return ([1, 2, 4, 5, 10].find((each) => each * power >= most) ?? 10) * power;
}

/** Heights for labels, none on another. */
function spread(heights: readonly number[]): number[] {
  const placed = heights.map((height, i) => ({ height, i })).sort((a, b) => a.height - b.height);
  for (const [at, each] of placed.entries()) {
    const before = placed[at - 1];
    if (before !== undefined) each.height = Math.max(each.height, before.height + 14);
  }
  return placed.sort((a, b) => a.i - b.i).map(({ height }) => height);
}
