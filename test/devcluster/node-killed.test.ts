import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import { kubectlFor } from '../support/kubectl.ts';
import { PLAIN, pod, shell } from '../support/pods.ts';
import { processesOf } from '../support/processes.ts';
import { until } from '../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'node-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('a devcluster', () => {
  test('killed outright leaves no process behind; its TPM is made by an authority of its own', async () => {
    const own = join(directory, 'k');
    writeFileSync(join(directory, 'catalogue.json'), JSON.stringify({ images: { plain: PLAIN } }));
    const victim = await startCluster({
      directory: own,
      nodes: 1,
      catalogueFile: join(directory, 'catalogue.json'),
    });
    try {
      const [node] = victim.nodes;
      expect(existsSync(node?.tpm ?? '')).toBe(true);
      expect(readdirSync(victim.ekRootsDir).sort()).toEqual([
        'issuercert.pem',
        'swtpm-localca-rootca-cert.pem',
      ]);
      expect(
        execFileSync(
          'openssl',
          ['x509', '-in', join(victim.ekRootsDir, 'issuercert.pem'), '-noout', '-subject'],
          { encoding: 'utf8' },
        ),
      ).toContain('swtpm');
      const theirs = await kubectlFor(victim.kubeconfig, own);
      await theirs.apply(pod('left', { containers: [shell('app', `: ${own}/left; sleep 1000 & wait`)] }));
      await until('started', async () => processesOf(`${own}/left`).length > 0);
      await victim.kill();
      await until(
        'all gone',
        async () => processesOf(own).filter((line) => !line.includes('kube')).length === 0,
      );
    } finally {
      await victim.stop();
    }
  });
});
