import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ConfigError } from '../../platform/config/config-error.ts';
import { apiServerFromKubeconfig } from '../../platform/kube/kubeconfig.ts';

const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
afterAll(() => rmSync(folder, { recursive: true }));

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const CLUSTER = { server: 'https://api.example:6443', 'certificate-authority-data': base64('the CA') };

function config(name: string, cluster: object, user: object, more: object = {}): string {
  return file(
    name,
    stringify({
      'current-context': 'a',
      contexts: [{ name: 'a', context: { cluster: 'c', user: 'u' } }],
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user }],
      ...more,
    }),
  );
}

describe('kubeconfig', () => {
  test('authority and client certificate as data or as files beside it', () => {
    const user = { 'client-certificate-data': base64('cert'), 'client-key-data': base64('key') };
    const embedded = apiServerFromKubeconfig(config('embedded', CLUSTER, user));
    expect(embedded).toMatchObject({
      server: CLUSTER.server,
      clientCertificate: { cert: 'cert', key: 'key' },
    });
    expect(embedded.ca()).toBe('the CA');
    for (const name of ['ca.crt', 'client.crt', 'client.key']) file(name, name);
    const { 'certificate-authority-data': _, ...noData } = CLUSTER;
    const cluster = { ...noData, 'certificate-authority': 'ca.crt', 'tls-server-name': 'kubernetes' };
    const beside = apiServerFromKubeconfig(
      config('beside', cluster, {
        'client-certificate': 'client.crt',
        'client-key': join(folder, 'client.key'),
      }),
    );
    expect(beside).toMatchObject({
      serverName: 'kubernetes',
      clientCertificate: { cert: 'client.crt', key: 'client.key' },
    });
    expect(beside.ca()).toBe('ca.crt');
  });

  test('a token, or a file that holds one and rotates', () => {
    expect(apiServerFromKubeconfig(config('token', CLUSTER, { token: 'secret' })).token?.()).toBe('secret');
    file('token-file', 'one\n');
    const rotating = apiServerFromKubeconfig(
      config('rotating', CLUSTER, { token: 'old', tokenFile: 'token-file' }),
    );
    expect(rotating.token?.()).toBe('one');
    file('token-file', 'two\n');
    expect(rotating.token?.()).toBe('two');
  });

  test('several files count as one; a context can be chosen', () => {
    const other = { 'current-context': 'b', contexts: [{ name: 'b', context: { cluster: 'c', user: 'v' } }] };
    const first = file('first', stringify({ ...other, users: [{ name: 'v', user: { token: 'v' } }] }));
    const second = config('second', CLUSTER, { token: 'u' });
    const paths = [join(folder, 'missing'), first, second];
    expect(apiServerFromKubeconfig(paths).token?.()).toBe('v');
    expect(apiServerFromKubeconfig(paths, 'a').token?.()).toBe('u');
    expect(() => apiServerFromKubeconfig(paths, 'c')).toThrow('there is no context c');
  });

  test.each<[string, object, object, string]>([
    ['plugins', CLUSTER, { exec: { command: 'aws' } }, 'kubectl create token'],
    ['plugins of old', CLUSTER, { token: 't', 'auth-provider': { name: 'gcp' } }, 'plugins are not run'],
    ['passwords', CLUSTER, { username: 'a', password: 'b' }, 'no longer accepted'],
    ['impersonation', CLUSTER, { token: 't', as: 'b' }, 'impersonation'],
    ['no credentials', CLUSTER, {}, 'neither a token nor'],
    ['half a pair', CLUSTER, { 'client-certificate-data': base64('c') }, 'not both'],
    ['no verification', { ...CLUSTER, 'insecure-skip-tls-verify': true }, { token: 't' }, 'must be verified'],
    ['a proxy', { ...CLUSTER, 'proxy-url': 'socks5://p' }, { token: 't' }, 'proxies'],
    ['no authority', { server: CLUSTER.server }, { token: 't' }, 'no certificate authority'],
    ['plain HTTP', { ...CLUSTER, server: 'http://api.example' }, { token: 't' }, 'https'],
    ['a missing file', CLUSTER, { tokenFile: '/nowhere/token', 'client-certificate': 'nowhere' }, 'nowhere'],
  ])('%s: a clear refusal', (_, cluster, user, words) => {
    const read = () => apiServerFromKubeconfig(config('refused', cluster, user));
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(words);
  });

  test('what is no kubeconfig is said with its name', () => {
    expect(() => apiServerFromKubeconfig(join(folder, 'missing'))).toThrow('there is no kubeconfig at');
    expect(() => apiServerFromKubeconfig(file('broken', 'a: [b'))).toThrow('broken');
    expect(() => apiServerFromKubeconfig(file('text', 'just words'))).toThrow('is no kubeconfig');
    expect(() => apiServerFromKubeconfig(file('empty', 'contexts: []'))).toThrow('no current context');
  });
});
