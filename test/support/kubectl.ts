import type { CommandResult } from '../../tools/cluster/command.ts';
import { applyObjects, kubectlOf } from '../../tools/cluster/operate.ts';

export interface Kubectl {
  /** Runs real kubectl; its standard output. Another exit code than 0 is an error that holds what it said. */
  (...args: string[]): Promise<string>;
  /** The same, whatever the exit code. */
  try(...args: string[]): Promise<CommandResult>;
  /** `kubectl apply -f -` of these objects, client side. */
  apply(...objects: object[]): Promise<string>;
}

/** kubectl with this kubeconfig, and `home` instead of the person's own folder, as tests write it. */
export async function kubectlFor(kubeconfig: string, home: string): Promise<Kubectl> {
  const { kubectl, tryKubectl } = await kubectlOf(kubeconfig, home);
  return Object.assign((...args: string[]) => kubectl(args), {
    try: (...args: string[]) => tryKubectl(args),
    apply: (...items: object[]) => applyObjects(kubectl, items),
  });
}
