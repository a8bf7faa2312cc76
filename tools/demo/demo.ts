/** The demo from start to clean-up, whatever happens between. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ENABLED, INJECTION_LABEL } from '../../names/labels.ts';
import { ENCLAVE_NAMESPACE, type Environment } from '../cluster/environment.ts';
import { startEnvironment } from '../cluster/start-environment.ts';
import { type Narrator, narrator } from './narrator.ts';
import { writeSettings, writeShellEnvironment } from './operator.ts';
import { story } from './story.ts';

const DIRECTORY = resolve('.demo');
const INTERRUPTED = 130;

export async function runDemo(options: { readonly keep: boolean }): Promise<number> {
  const say = narrator();
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => abort.abort(new Error(`${signal}: cleaning up`)));
  if (!takeFolder(say)) return 1;
  let environment: Environment | undefined;
  let code = 0;
  try {
    say.note('Pods are processes on loopback addresses and TPMs are swtpm: this mode isolates nothing.');
    say.heading('The operator: a cluster, and the product on it');
    environment = await startEnvironment({
      directory: DIRECTORY,
      progress: say.note,
      signal: abort.signal,
    });
    const settings = writeSettings(environment);
    await story(environment, settings, say, abort.signal);
    if (options.keep) {
      await writeShellEnvironment(environment.directory, environment.cluster.kubeconfig, settings);
      await stay(environment, say, abort.signal);
    }
  } catch (error) {
    code = abort.signal.aborted ? INTERRUPTED : 1;
    say.failure(error instanceof Error ? error.message : String(error));
  } finally {
    await environment?.stop();
    rmSync(DIRECTORY, { recursive: true, force: true });
  }
  if (code === 0) console.log('\ndemo: ok');
  return code;
}

/** The folder is the lock: two demos would share its state. A folder whose demo is gone is taken over. */
function takeFolder(say: Narrator): boolean {
  const lock = join(DIRECTORY, 'pid');
  try {
    const pid = existsSync(lock) ? readFileSync(lock, 'utf8') : '';
    // A number may be another program's by now: it is a demo only if it says so.
    if (
      pid !== '' &&
      existsSync(`/proc/${pid}`) &&
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('tools/demo/main.ts')
    ) {
      say.failure(`another demo runs from this folder (process ${pid}): end it first`);
      return false;
    }
    rmSync(DIRECTORY, { recursive: true, force: true });
    mkdirSync(DIRECTORY, { mode: 0o700 });
    writeFileSync(lock, String(process.pid));
    return true;
  } catch (error) {
    say.failure(`cannot use ${DIRECTORY}: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

async function stay(environment: Environment, say: Narrator, signal: AbortSignal): Promise<void> {
  // The story took the label away; who stays wants to launch.
  await environment.kubectl(['label', 'namespace', ENCLAVE_NAMESPACE, `${INJECTION_LABEL}=${ENABLED}`]);
  say.heading('Staying up; Ctrl-C ends it');
  say.note(`front: ${environment.frontAddress}    kubeconfig: ${environment.cluster.kubeconfig}`);
  say.note(
    'in a second terminal:  . .demo/env; enclavectl init; enclavectl signup NAME; kubectl get pods -A',
  );
  await new Promise<void>((done) => {
    const timer = setInterval(() => undefined, 60_000);
    const end = (): void => {
      clearInterval(timer);
      done();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
