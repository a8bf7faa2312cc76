import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS } from '../../platform/kube/resources.ts';

const RETRY_MS = 200;

/**
 * For an API server without a controller manager: gives each namespace its service account `default` and the ConfigMap
 * `kube-root-ca.crt`, until the signal aborts.
 */
export function furnishNamespaces(
  kube: Kube,
  caPem: string,
  signal: AbortSignal,
  onTrouble: (error: unknown) => void,
): void {
  const furnish = async (namespace: string): Promise<void> => {
    const objects = [
      () => kube.create(SERVICE_ACCOUNTS, { metadata: { name: 'default', namespace } }),
      () =>
        kube.create(CONFIG_MAPS, {
          metadata: { name: 'kube-root-ca.crt', namespace },
          data: { 'ca.crt': caPem },
        }),
    ];
    try {
      for (const create of objects)
        await create().catch((error: unknown) => {
          if (!isKubeError(error, 'AlreadyExists', 'NotFound', 'Forbidden')) throw error;
        });
    } catch (error) {
      onTrouble(error);
      if (!signal.aborted) setTimeout(() => void furnish(namespace), RETRY_MS).unref();
    }
  };
  kube.watch(NAMESPACES, { signal, onTrouble, onAdd: (object) => void furnish(object.metadata?.name ?? '') });
}
