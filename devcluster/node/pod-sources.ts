import type { Kube } from '../../platform/kube/kube.ts';
import { SERVICE_ACCOUNTS } from '../../platform/kube/resources.ts';
import { NODE_CONFIG_MAPS, NODE_SECRETS } from './node-pods.ts';
import type { Pod } from './pod.ts';
import type { VolumeSources } from './pod-volumes.ts';

interface TokenRequest {
  status?: { token: string; expirationTimestamp: string };
}

/**
 * Where a pod's values come from, asked with the node's own identity: objects of the pod's namespace, tokens bound to
 * the pod (TokenRequest, authentication.k8s.io/v1).
 */
export function podSources(kube: Kube, pod: Pod): VolumeSources {
  const { name: podName = '', namespace = '', uid = '' } = pod.metadata;
  const account = pod.spec.serviceAccountName ?? 'default';
  return {
    configMap: (name) => kube.get(NODE_CONFIG_MAPS, { namespace, name }),
    secret: (name) => kube.get(NODE_SECRETS, { namespace, name }),
    token: async (audience, expirationSeconds) => {
      const answer = await kube.createSubresource<TokenRequest>(
        SERVICE_ACCOUNTS,
        { namespace, name: account },
        'token',
        {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: {
            ...(audience !== undefined && { audiences: [audience] }),
            expirationSeconds,
            boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: podName, uid },
          },
        },
      );
      if (answer.status === undefined) throw new Error('the API server gave no token');
      return { token: answer.status.token, expiresAt: Date.parse(answer.status.expirationTimestamp) };
    },
  };
}
