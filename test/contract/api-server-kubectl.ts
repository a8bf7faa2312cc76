import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { makeNamespace, unique } from './api-client.ts';
import type { Subject } from './api-server.ts';

/** The commands that people and the demo use, by real kubectl. */
export function kubectlContract(subject: Subject): void {
  const home = mkdtempSync(join(tmpdir(), 'kubectl-home-'));
  let kubectl: Kubectl;
  let namespace: string;
  beforeAll(async () => {
    kubectl = await kubectlFor(subject.server.kubeconfig, home);
    namespace = await makeNamespace(subject.admin);
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  test('apply makes, changes and prunes fields; label, get and delete', async () => {
    const map = (data: object) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'm', namespace },
      data,
    });
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace, labels: { a: 'b' } },
      spec: { containers: [{ name: 'app', image: 'one', env: [{ name: 'A', value: 'b' }] }] },
    };
    expect(await kubectl.apply(map({ a: '1', b: '2' }), pod)).toBe('configmap/m created\npod/p created\n');
    expect(await kubectl.apply(map({ a: '1', b: '2' }), pod)).toBe(
      'configmap/m unchanged\npod/p unchanged\n',
    );
    const [container] = pod.spec.containers;
    const changed = { ...pod, spec: { containers: [{ ...container, image: 'two' }] } };
    expect(await kubectl.apply(map({ a: '3' }), changed)).toBe('configmap/m configured\npod/p configured\n');
    const inNamespace = ['-n', namespace];
    expect(await kubectl('get', 'cm', 'm', ...inNamespace, '-o', 'jsonpath={.data}')).toBe('{"a":"3"}');
    expect(await kubectl('label', 'pod', 'p', 'x=y', ...inNamespace)).toBe('pod/p labeled\n');
    expect(await kubectl('get', 'pods', ...inNamespace, '-l', 'x=y', '--no-headers')).toMatch(
      /^p +0\/1 +Pending +0 +\d+s\n$/,
    );
    expect(await kubectl('get', 'pods', ...inNamespace, '-o', 'name')).toBe('pod/p\n');
    expect(await kubectl('delete', 'pod', 'p', ...inNamespace)).toContain('pod "p" deleted');
    const missing = await kubectl.try('get', 'pod', 'p', ...inNamespace);
    expect(missing).toMatchObject({ code: 1, stderr: 'Error from server (NotFound): pods "p" not found\n' });
    const typo = { ...map({}), dta: {} };
    await expect(kubectl.apply(typo)).rejects.toThrow(/unknown field "dta"/);
  });

  test('certificate approve and deny; create token; auth can-i', async () => {
    const request = execFileSync(
      'openssl',
      [
        'req',
        '-new',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        '/dev/null',
        '-subj',
        '/CN=x',
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    ).toString('base64');
    const [good, bad] = [unique('good'), unique('bad')];
    for (const name of [good, bad])
      await kubectl.apply({
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name },
        spec: { signerName: 'example.com/contract', usages: ['client auth'], request },
      });
    expect(await kubectl('certificate', 'approve', good)).toContain('approved');
    expect(await kubectl('certificate', 'deny', bad)).toContain('denied');
    const conditions = 'jsonpath={.status.conditions[*].type}';
    expect(await kubectl('get', 'csr', good, '-o', conditions)).toBe('Approved');
    expect(await kubectl('get', 'csr', bad, '-o', conditions)).toBe('Denied');
    expect(await kubectl('get', 'csr', good, '--no-headers')).toContain('Approved');
    expect((await kubectl('create', 'token', 'default', '-n', namespace)).split('.')).toHaveLength(3);
    expect(await kubectl('auth', 'can-i', 'delete', 'pods')).toBe('yes\n');
  });
}
