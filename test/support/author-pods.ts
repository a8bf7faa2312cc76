/** Pods of a workload author, tried while the webhook is away: refused or injected, never let through bare. */
import { expect } from 'vitest';
import { compareSidecar } from '../../injection/compare-sidecar.ts';
import type { Pod } from '../../injection/pod.ts';
import { DEFAULT_ENCLAVE_DOMAIN } from '../../names/components.ts';
import { ANNOTATIONS, INJECT_LABEL } from '../../names/labels.ts';
import { imageReference } from '../../tools/cluster/catalogue.ts';
import { ENCLAVE_NAMESPACE, type Environment } from '../../tools/cluster/environment.ts';

export interface AuthorPods {
  /** A new one each time: `injected`, or why it was refused. @throws when one was let through without its sidecar */
  create(): Promise<string>;
  remove(): Promise<void>;
}

/** @param sidecarImages that a pod may have now */
export function authorPods(environment: Environment, sidecarImages: () => readonly string[]): AuthorPods {
  let made = 0;
  /** Without a node, so that nothing runs it. */
  const wanted = (): Pod => {
    made += 1;
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `author-${made}`,
        namespace: ENCLAVE_NAMESPACE,
        labels: { [INJECT_LABEL]: 'enabled', authored: 'here' },
        annotations: { [ANNOTATIONS.upstream]: '8080', [ANNOTATIONS.ownerKey]: '0f'.repeat(32) },
      },
      spec: {
        containers: [{ name: 'app', image: imageReference(environment.catalogue, 'demo-app') }],
        nodeSelector: { 'no-such': 'node' },
      },
    };
  };
  const expectSidecar = (pod: string): void => {
    const sidecar = compareSidecar(JSON.parse(pod) as Pod, {
      sidecarImages: sidecarImages(),
      enclaveDomain: DEFAULT_ENCLAVE_DOMAIN,
      acceptsRoots: () => true,
    });
    expect(sidecar, 'a pod that was created has its sidecar').toMatchObject({ ok: true });
  };
  const there = ['-n', ENCLAVE_NAMESPACE];
  return {
    create: async () => {
      const pod = wanted();
      const answer = await environment.tryKubectl(['create', '-f', '-', '-o', 'json'], JSON.stringify(pod));
      if (answer.code === 0) {
        expectSidecar(answer.stdout);
        return 'injected';
      }
      // Stored all the same, when the API server ended before it could say so.
      const stored = await environment.tryKubectl([
        ...['get', 'pod', pod.metadata?.name ?? '', ...there, '-o', 'json'],
      ]);
      if (stored.code !== 0) return answer.stderr.trim();
      expectSidecar(stored.stdout);
      return 'injected';
    },
    remove: async () => {
      const now = ['--wait=false', '--grace-period=0', '--force'];
      await environment.kubectl(['delete', 'pods', ...there, '-l', 'authored=here', ...now]);
    },
  };
}
