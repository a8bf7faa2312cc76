import { expect, test } from 'vitest';
import { ClusterView } from '../../licensing/launcher/pods/cluster-view.ts';
import type { Kube, Projection, WatchOptions } from '../../platform/kube/kube.ts';
import { WatchStore } from '../../platform/kube/watch-store.ts';
import type { KubeObject, Resource } from '../../platform/kube/wire.ts';
import { silentLogger } from '../../platform/log/logger.ts';

type Watching = WatchOptions<KubeObject> & Projection<KubeObject, KubeObject>;

/** An API server that only has watches, and tells them what it is told. */
function fakeWatches() {
  const tellers = new Map<string, (object: KubeObject, gone?: boolean) => void>();
  const watch = (resource: Resource<KubeObject>, options: Watching) => {
    const store = new WatchStore<KubeObject>(options);
    tellers.set(resource.kind, (object, gone) =>
      store.apply(gone ? 'DELETED' : 'MODIFIED', options.project?.(object) ?? object),
    );
    return { get: (ref: { name: string }) => store.get(ref), list: () => store.list(), current: () => true };
  };
  const tell = (kind: string, object: object, gone?: boolean) =>
    tellers.get(kind)?.(object as KubeObject, gone);
  return { kube: { watch } as unknown as Kube, tell };
}

const pod = (name: string, version: string) => ({
  metadata: { namespace: 'apps', name, uid: `uid-${name}`, resourceVersion: version, managedFields: [{}] },
});
const request = (name: string, version: string) => ({
  metadata: { name, resourceVersion: version },
  spec: { signerName: 'any', request: 'large' },
});

test('who waits for a launch hears of its own pod and its requests, and of nobody else’s', () => {
  const { kube, tell } = fakeWatches();
  const view = new ClusterView(kube, ['apps'], silentLogger, new AbortController().signal);
  let heard = 0;
  const stop = view.onChange({ namespace: 'apps', name: 'a', uid: 'uid-a' }, () => {
    heard += 1;
  });
  tell('Pod', pod('a', '1'));
  expect(heard).toBe(1);
  tell('Pod', pod('b', '2'));
  tell('CertificateSigningRequest', request('enclave-uid-b-1', '3'));
  tell('CertificateSigningRequest', request('somebody-elses', '4'));
  expect(heard).toBe(1);
  tell('CertificateSigningRequest', request('enclave-uid-a-1', '5'));
  tell('CertificateSigningRequest', request('enclave-uid-a-2', '6'));
  expect(heard).toBe(3);
  expect(view.requestsOf('uid-a').map(({ metadata }) => metadata?.name)).toEqual([
    'enclave-uid-a-1',
    'enclave-uid-a-2',
  ]);
  tell('CertificateSigningRequest', request('enclave-uid-a-1', '7'), true);
  expect(heard).toBe(4);
  expect(view.requestsOf('uid-a')).toHaveLength(1);
  stop();
  tell('Pod', pod('a', '8'), true);
  expect(heard).toBe(4);
  expect(view.pod('apps', 'a')).toBeUndefined();
});

test('what nobody here reads is not kept', () => {
  const { kube, tell } = fakeWatches();
  const view = new ClusterView(kube, ['apps'], silentLogger, new AbortController().signal);
  tell('Pod', pod('a', '1'));
  tell('CertificateSigningRequest', request('enclave-uid-a-1', '2'));
  expect(view.pod('apps', 'a')?.metadata).not.toHaveProperty('managedFields');
  expect(view.requestsOf('uid-a')[0]?.spec.request).toBe('');
});
