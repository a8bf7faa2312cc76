import { usage } from '../../failure.ts';
import { readUserFile } from '../../read-user-file.ts';
import type { Workspace } from '../workspace.ts';

const MAX_PASSWORD_BYTES = 1024;
/** Return, newline, Ctrl-D. */
const ENDS = new Set(['\r', '\n', '\u0004']);

/** From a file (its first line) or, on a terminal, asked for without echo; never from an argument or the environment. @throws Failure */
export async function readPassword(
  workspace: Workspace,
  file: string | undefined,
  options: { readonly repeat: boolean },
): Promise<string> {
  const remedy = 'give --password-file FILE, or run it on a terminal';
  if (file !== undefined) {
    const [line = ''] = readUserFile(file).toString('utf8').split(/\r?\n/, 1);
    if (line === '' || Buffer.byteLength(line) > MAX_PASSWORD_BYTES)
      throw usage('password-invalid', `the first line of ${file} is no password`, 'write 1 to 1,024 bytes');
    return line;
  }
  if (workspace.stdin.isTTY !== true)
    throw usage('password-missing', 'there is no terminal to ask for a password', remedy);
  const first = await ask(workspace, 'Password: ');
  if (options.repeat && (await ask(workspace, 'Again: ')) !== first)
    throw usage('password-differs', 'the two passwords differ', 'try again');
  if (first === '') throw usage('password-missing', 'no password was given', remedy);
  return first;
}

async function ask({ stdin, output, signal }: Workspace, prompt: string): Promise<string> {
  // Raw mode first: what is typed at the sight of the prompt must not be echoed.
  stdin.setRawMode(true);
  process.stderr.write(prompt);
  stdin.resume();
  const typed: string[] = [];
  try {
    return await new Promise<string>((resolve, reject) => {
      const onAbort = (): void => done(() => reject(new DOMException('aborted', 'AbortError')));
      const onData = (chunk: Buffer): void => {
        for (const character of chunk.toString('utf8')) {
          // In raw mode the terminal makes no signal of Ctrl-C.
          if (character === '\u0003') process.kill(process.pid, 'SIGINT');
          else if (ENDS.has(character)) {
            done(() => resolve(typed.join('')));
            return;
          } else if (character === '\u007f' || character === '\b') typed.pop();
          else if (character >= ' ') typed.push(character);
        }
      };
      const done = (end: () => void): void => {
        stdin.off('data', onData);
        signal.removeEventListener('abort', onAbort);
        end();
      };
      stdin.on('data', onData);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    output.note('');
  }
}
