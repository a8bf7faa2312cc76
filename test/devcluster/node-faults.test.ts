import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../devcluster/node/pod.ts';
import { startCluster } from '../support/cluster.ts';
import { kubectlFor } from '../support/kubectl.ts';
import { PLAIN, pod, shell } from '../support/pods.ts';
import { processesOf } from '../support/processes.ts';
import { until } from '../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'node-'));
/** Holds a port. */
const holder = createServer();
beforeAll(() => new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve)));
afterAll(() => {
  holder.close();
  rmSync(directory, { recursive: true, force: true });
});

function reaches(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = connect(socket);
    client.once('connect', () => resolve(true));
    client.once('error', () => resolve(false));
    client.once('close', () => client.destroy());
    client.once('connect', () => client.destroy());
  });
}

describe('a devcluster', () => {
  test('says in one line what is missing or in use, and leaves nothing running', () => {
    const catalogue = join(directory, 'c.json');
    writeFileSync(catalogue, JSON.stringify({ images: {} }));
    const start = (args: readonly string[], env = process.env) =>
      spawnSync(process.execPath, ['devcluster/main.ts', '--dir', join(directory, 'w'), ...args], {
        encoding: 'utf8',
        env,
      });
    const noTpm = start(['--catalogue', catalogue], { PATH: directory });
    expect([noTpm.status, noTpm.stderr]).toEqual([
      1,
      expect.stringMatching(/^devcluster: swtpm_setup is not installed.*\n$/),
    ]);
    const port = String((holder.address() as AddressInfo).port);
    const inUse = start(['--catalogue', catalogue, '--api-port', port]);
    expect([inUse.status, inUse.stderr]).toEqual([
      1,
      `devcluster: port ${port} on 127.0.0.1 is in use: choose another --api-port\n`,
    ]);
    const none = start(['--catalogue', join(directory, 'none.json')]);
    expect([none.status, none.stderr]).toEqual([1, expect.stringContaining('none.json')]);
    expect(start([]).status).toBe(2);
    expect(processesOf(join(directory, 'w'))).toEqual([]);
  });

  test('recovers from an API server and a TPM that go away and come back', async () => {
    writeFileSync(join(directory, 'catalogue.json'), JSON.stringify({ images: { plain: PLAIN } }));
    const cluster = await startCluster({
      directory: join(directory, 'r'),
      nodes: 1,
      catalogueFile: join(directory, 'catalogue.json'),
    });
    try {
      const socket = cluster.nodes[0]?.tpm ?? '';
      const kubectl = await kubectlFor(cluster.kubeconfig, directory);
      await kubectl.apply(
        pod('waits', {
          restartPolicy: 'Never',
          containers: [shell('app', 'until [ -e end ]; do sleep 0.05; done')],
        }),
      );
      const running = await until('running', async () => {
        const { status } = JSON.parse(await kubectl('get', 'pod', 'waits', '-o', 'json')) as Pod;
        return status?.containerStatuses?.[0]?.state.running && status.containerStatuses[0];
      });
      await cluster.suspendApi();
      await cluster.stopTpm('node-1');
      expect((await kubectl.try('get', 'pods')).code).not.toBe(0);
      expect(await reaches(socket)).toBe(false);
      const pid = /\/\/(\d+)\./.exec(running.containerID ?? '')?.[1];
      writeFileSync(`/proc/${pid}/cwd/end`, '');
      await until('ended', async () => !existsSync(`/proc/${pid}`));
      await cluster.resumeApi();
      await cluster.startTpm('node-1');
      expect(await reaches(socket)).toBe(true);
      await until(
        'Succeeded',
        async () => (await kubectl('get', 'pod', 'waits', '-o', 'jsonpath={.status.phase}')) === 'Succeeded',
      );
      await kubectl('delete', 'pod', 'waits');
    } finally {
      await cluster.stop();
    }
  });

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
      expect(readdirSync(join(victim.ekRootsDir, 'emulated')).sort()).toEqual([
        'issuercert.pem',
        'swtpm-localca-rootca-cert.pem',
      ]);
      expect(
        execFileSync(
          'openssl',
          ['x509', '-in', join(victim.ekRootsDir, 'emulated', 'issuercert.pem'), '-noout', '-subject'],
          { encoding: 'utf8' },
        ),
      ).toContain('swtpm');
      const theirs = await kubectlFor(victim.kubeconfig, own);
      await theirs.apply(pod('left', { containers: [shell('app', `: ${own}/left; sleep 1000 & wait`)] }));
      // By its status: what began in the very instant of the kill is on nobody's list yet.
      await until(
        'started',
        async () => (await theirs('get', 'pod', 'left', '-o', 'jsonpath={.status.phase}')) === 'Running',
      );
      expect(processesOf(`${own}/left`)).not.toEqual([]);
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
