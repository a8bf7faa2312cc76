import { customResource } from '../../platform/kube/resources.ts';
import type { ConfigMap, Pod, Secret, Service } from './pod.ts';

/** The resources a node reads, in the node's own types. */
export const NODE_PODS = customResource<Pod>('v1', 'Pod', 'pods', true);
export const NODE_CONFIG_MAPS = customResource<ConfigMap>('v1', 'ConfigMap', 'configmaps', true);
export const NODE_SECRETS = customResource<Secret>('v1', 'Secret', 'secrets', true);
export const NODE_SERVICES = customResource<Service>('v1', 'Service', 'services', true);
