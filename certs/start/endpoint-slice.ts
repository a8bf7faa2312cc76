import { isIPv6 } from 'node:net';
import { binaryName } from '../../names/components.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { ENDPOINT_SLICES, type EndpointSlice } from '../../platform/kube/resources.ts';

/** The Service has no selector, so that its one endpoint is the leader: callers never reach who stands by. */
const SERVICE = binaryName('certs');

/**
 * Has the Service lead to this process (discovery.k8s.io/v1; a Service without selector finds its slices by their label).
 * @param address of the pod
 * @returns whether anything was written
 * @throws Conflict when somebody wrote meanwhile
 */
export async function publishEndpoint(
  kube: Kube,
  namespace: string,
  address: string,
  port: number,
): Promise<boolean> {
  const ref = { name: SERVICE, namespace };
  const wanted = sliceOf(ref, address, port);
  const found = await kube.get(ENDPOINT_SLICES, ref);
  if (found === undefined) {
    try {
      await kube.create(ENDPOINT_SLICES, wanted);
    } catch (error) {
      // Somebody was faster: the next turn looks at what they wrote.
      if (!isKubeError(error, 'AlreadyExists')) throw error;
    }
    return true;
  }
  if (found.addressType !== wanted.addressType) {
    // It cannot be changed: a cluster that went from one family of addresses to the other.
    await kube.delete(ENDPOINT_SLICES, ref, { ...(found.metadata?.uid && { uid: found.metadata.uid }) });
    return true;
  }
  if (JSON.stringify(essence(found)) === JSON.stringify(essence(wanted))) return false;
  const { resourceVersion } = found.metadata ?? {};
  const metadata = { ...wanted.metadata, ...(resourceVersion && { resourceVersion }) };
  await kube.replace(ENDPOINT_SLICES, { ...wanted, metadata });
  return true;
}

function sliceOf(
  ref: { readonly name: string; readonly namespace: string },
  address: string,
  port: number,
): EndpointSlice {
  return {
    metadata: {
      ...ref,
      labels: {
        'kubernetes.io/service-name': SERVICE,
        'endpointslice.kubernetes.io/managed-by': `${SERVICE}.enclave-licensing.dev`,
      },
    },
    addressType: isIPv6(address) ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true, serving: true, terminating: false } }],
    ports: [{ name: 'grpc', port, protocol: 'TCP' }],
  };
}

/** What has to be as we wrote it, in one order. */
function essence({ metadata, endpoints, ports }: EndpointSlice): unknown {
  const labels = metadata?.labels ?? {};
  return [
    Object.keys(labels)
      .sort()
      .map((key) => [key, labels[key]]),
    (endpoints ?? []).map(({ addresses, conditions }) => [addresses, conditions?.ready, conditions?.serving]),
    (ports ?? []).map(({ name, port, protocol }) => [name, port, protocol]),
  ];
}
