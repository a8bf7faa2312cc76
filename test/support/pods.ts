import type { Container, Pod } from '../../devcluster/node/pod.ts';

/** An image without a program of its own: pods name a command of this machine. */
export const PLAIN = { digest: `sha256:${'0'.repeat(64)}`, command: [] };

/** A pod of the namespace `default`, as `kubectl apply` takes it. */
export function pod(
  name: string,
  spec: Partial<Pod['spec']> & { containers: Container[] },
  labels = {},
): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: { terminationGracePeriodSeconds: 3, ...spec },
  };
}

/** A container that runs a shell script. */
export const shell = (name: string, script: string, more: Partial<Container> = {}): Container => ({
  name,
  image: 'plain',
  command: ['sh', '-c', script],
  ...more,
});
