import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';

const SAMPLE = new URL('../support/sample-component.ts', import.meta.url).pathname;
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function start(...argv: string[]) {
  const child = spawn(process.execPath, [SAMPLE, ...argv], { env: { PATH: process.env['PATH'] } });
  children.push(child);
  const text = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    text.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    text.err += chunk;
  });
  const lines = (): { msg: string; healthPort?: number; token?: string }[] =>
    text.out
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  return { child, text, lines, ended: once(child, 'close').then(([code]) => code as number | null) };
}

async function ready(sample: ReturnType<typeof start>): Promise<number> {
  await expect.poll(() => sample.lines().some(({ msg }) => msg === 'ready')).toBe(true);
  return sample.lines()[0]?.healthPort ?? 0;
}

describe('a component', () => {
  test('serves health and metrics, drains on SIGTERM and exits with 0', async () => {
    const sample = start('--bind', '127.0.0.1', '--health-port', '0');
    const port = await ready(sample);
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: response.status, text: await response.text() };
    };
    expect(await get('/livez')).toMatchObject({ status: 200 });
    expect(await get('/readyz')).toMatchObject({ status: 200, text: 'work: ok\nok\n' });
    const metrics = await get('/metrics');
    expect(metrics.text).toContain('enclave_sample_turns_total 1');
    expect(metrics.text).toContain('enclave_sample_process_cpu_seconds_total');
    expect(await get('/other')).toMatchObject({ status: 404 });
    sample.child.kill('SIGTERM');
    expect(await sample.ended).toBe(0);
    expect(sample.lines().at(-1)?.msg).toBe('stopped');
    expect(sample.text.out).not.toContain('hunter22');
  });

  test('opens no debugger for whoever can signal it', async () => {
    const sample = start('--bind', '127.0.0.1', '--health-port', '0');
    await ready(sample);
    sample.child.kill('SIGUSR1');
    await expect.poll(() => sample.lines().at(-1)?.msg).toBe('no debugger is opened');
    sample.child.kill('SIGTERM');
    expect(await sample.ended).toBe(0);
    expect(sample.text.err).not.toContain('Debugger listening');
  });

  test('that does not drain in time is ended', async () => {
    const sample = start(
      '--bind',
      '127.0.0.1',
      '--health-port',
      '0',
      '--stuck',
      '--shutdown-timeout',
      '200ms',
    );
    const port = await ready(sample);
    sample.child.kill('SIGTERM');
    // Not ready any more as soon as the signal has arrived, until the end.
    const look = () => fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    let answer = await look();
    while (answer?.status === 200) answer = await look();
    if (answer) expect(answer.status).toBe(503);
    expect(await sample.ended).toBe(1);
  });

  test('wrong use is one line and 2; help is 0; a failure is 1', async () => {
    const samples = [
      start('--bidn', 'x'),
      start('--bind', 'localhost'),
      start('--help'),
      start('--bind', '127.0.0.1', '--health-port', '0', '--fail'),
    ];
    expect(await Promise.all(samples.map(({ ended }) => ended))).toEqual([2, 2, 0, 1]);
    expect(samples[0]?.text.err).toBe('enclave-sample: unknown flag --bidn; --help lists the flags\n');
    expect(samples[1]?.text.err).toBe('enclave-sample: --bind must be an IP address\n');
    expect(samples[2]?.text.out).toContain('--shutdown-timeout');
    expect(samples[3]?.lines().at(-1)?.msg).toBe('as asked');
  });

  test('a port in use says which', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const sample = start('--bind', '127.0.0.1', '--health-port', String(port));
    expect(await sample.ended).toBe(1);
    expect(sample.text.err).toContain(`127.0.0.1:${port} is in use by another process`);
    other.close();
  });
});
