import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
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
    user: { exec: { apiVersion: client.authentication.k8s.io/v1, command: echo, interactiveMode: Never } }
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
