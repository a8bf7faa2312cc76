/**
 * Selects what a reader of `pods/log` asked for (PodLogOptions, core/v1: `tailLines`, `sinceSeconds`, `sinceTime`,
 * `timestamps`, `limitBytes`). The result is called with the whole log so far, again and again while it grows, and
 * gives what is new.
 */
export function logLines(options: URLSearchParams, now: number): (text: string) => string {
  const tail = numberOf(options.get('tailLines'));
  const timestamps = options.get('timestamps') === 'true';
  const sinceSeconds = numberOf(options.get('sinceSeconds'));
  const sinceTime = options.get('sinceTime');
  const since =
    sinceSeconds !== undefined ? now - sinceSeconds * 1000 : sinceTime ? Date.parse(sinceTime) : undefined;
  let budget = numberOf(options.get('limitBytes')) ?? Number.POSITIVE_INFINITY;
  let read = 0;
  let first = true;
  return (text) => {
    // A log that was begun anew is shorter than what was read of the old one.
    if (text.length < read) read = 0;
    let lines = text.slice(read).split('\n').slice(0, -1);
    read += lines.reduce((sum, line) => sum + line.length + 1, 0);
    if (since !== undefined)
      lines = lines.filter((line) => Date.parse(line.slice(0, line.indexOf(' '))) >= since);
    if (first && tail !== undefined) lines = tail === 0 ? [] : lines.slice(-tail);
    first = false;
    const output = lines
      .map((line) => {
        const [time = '', , , ...words] = line.split(' ');
        return `${timestamps ? `${time} ` : ''}${words.join(' ')}\n`;
      })
      .join('')
      .slice(0, budget);
    budget -= output.length;
    return output;
  };
}

function numberOf(text: string | null): number | undefined {
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}
