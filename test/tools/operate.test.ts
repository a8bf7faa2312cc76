import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { kubectlOf, operatorOf } from '../../tools/cluster/operate.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo.splice(0)) each();
});

/** As managed clusters hand them out: a program gives the token. */
const WITH_EXEC = `
apiVersion: v1
kind: Config
current-context: managed
contexts: [{ name: managed, context: { cluster: managed, user: operator } }]
clusters: [{ name: managed, cluster: { server: 'https://127.0.0.1:1' } }]
users:
  - name: operator
    user: { exec: { apiVersion: client.authentication.k8s.io/v1, command: give-token, interactiveMode: Never } }
`;

test('an operator whose kubeconfig runs a program can install: kubectl takes it', async () => {
  const home = mkdtempSync(join(tmpdir(), 'operate-'));
  undo.push(() => rmSync(home, { recursive: true }));
  const kubeconfig = join(home, 'kubeconfig');
  writeFileSync(kubeconfig, WITH_EXEC);
  const { kubectl } = await kubectlOf(kubeconfig, home);
  expect(await kubectl(['config', 'current-context'])).toBe('managed\n');
  await expect(operatorOf(kubeconfig, home)).rejects.toThrow('exec');
});

test('that program is found and sees what the operator’s shell has, unless the cluster is this checkout’s own', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'operate-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, WITH_EXEC);
  const seen = join(folder, 'seen');
  writeFileSync(join(folder, 'give-token'), `#!/bin/sh\necho "$AWS_PROFILE $HOME" >${seen}\nexit 1\n`, {
    mode: 0o755,
  });
  const { PATH, HOME } = process.env;
  undo.push(() => vi.unstubAllEnvs());
  vi.stubEnv('PATH', `${folder}:${PATH}`);
  vi.stubEnv('AWS_PROFILE', 'operators');
  const ask = ['get', '--raw=/version'];
  const own = await kubectlOf(kubeconfig, folder);
  expect((await own.tryKubectl(ask)).stderr).toContain('give-token not found');
  const existing = await kubectlOf(kubeconfig, undefined);
  expect((await existing.tryKubectl(ask)).code).not.toBe(0);
  expect(readFileSync(seen, 'utf8')).toBe(`operators ${HOME}\n`);
});
