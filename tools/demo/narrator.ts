/** What the demo says: headings, echoed commands, indented output. Colour on a terminal only. */
const terminal = process.stdout.isTTY === true;
const paint = (code: number, text: string): string => (terminal ? `\u001b[${code}m${text}\u001b[0m` : text);

export interface Narrator {
  heading(text: string): void;
  note(text: string): void;
  command(text: string): void;
  output(text: string): void;
  refusal(what: string, code: string, reason: string): void;
  failure(text: string): void;
}

export function narrator(write: (line: string) => void = (line) => console.log(line)): Narrator {
  return {
    heading: (text) => write(`\n${paint(1, `== ${text}`)}`),
    note: (text) => write(`   ${text}`),
    command: (text) => write(paint(36, `$ ${text}`)),
    output: (text) => {
      for (const line of text.replace(/\n+$/, '').split('\n')) if (line !== '') write(`   ${line}`);
    },
    refusal: (what, code, reason) =>
      write(`   ${paint(33, 'refused')} ${what}: ${paint(1, code)}: ${reason}`),
    failure: (text) => write(`${paint(31, 'demo: failed')}: ${text}`),
  };
}
