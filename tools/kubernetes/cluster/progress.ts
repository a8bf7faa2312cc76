const begun = performance.now();

/** One line of what happens, with the seconds since this program began. */
export function progress(line: string): void {
  console.log(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}`);
}
