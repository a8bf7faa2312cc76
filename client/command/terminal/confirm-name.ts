import { createInterface } from 'node:readline/promises';
import { usage } from '../../failure.ts';
import type { Workspace } from '../workspace.ts';

/** Has a person on a terminal type a name before something that matters is done with it. @throws Failure unless that was typed */
export async function confirmName(
  { stdin, output, signal }: Workspace,
  name: string,
  words: { readonly prompt: string; readonly remedy: string },
): Promise<void> {
  if (stdin.isTTY !== true || output.json)
    throw usage('not-confirmed', 'there is no terminal to ask whether you mean it', words.remedy);
  // The terminal's own line editing: readline's would take Ctrl-C for itself.
  const lines = createInterface({ input: stdin, output: process.stderr, terminal: false });
  try {
    const typed = await lines.question(words.prompt, { signal });
    if (typed.trim() === name) return;
  } finally {
    lines.close();
  }
  throw usage('not-confirmed', `that is not ${name}`, 'nothing was changed');
}
