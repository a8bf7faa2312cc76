import { randomInt } from 'node:crypto';
import { ApiError, causes } from '../api-error.ts';
import type { Cluster } from '../cluster.ts';
import { dig, items, type KubeObject, text } from '../object.ts';
import { type KindRules, specOf } from '../rules.ts';

/** Services get addresses of 127.96.0.0/16: loopback, so that one machine can serve them without routes. */
const RANGE = '127.96';
const FIRST = 10;
const SIZE = 65_000;

export const SERVICE_RULES: KindRules = {
  defaults: (service) => {
    const spec = specOf(service);
    spec['type'] ??= 'ClusterIP';
    spec['sessionAffinity'] ??= 'None';
    spec['internalTrafficPolicy'] ??= 'Cluster';
    for (const port of items(spec['ports'])) {
      port['protocol'] ??= 'TCP';
      port['targetPort'] ??= port['port'];
    }
  },
  prepareCreate: (call, service) => {
    const spec = specOf(service);
    spec['clusterIP'] ??= freeAddress(call.cluster);
    spec['clusterIPs'] = [spec['clusterIP']];
    spec['ipFamilies'] ??= ['IPv4'];
    spec['ipFamilyPolicy'] ??= 'SingleStack';
  },
  prepareUpdate: (_call, service, old) => {
    const spec = specOf(service);
    for (const name of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'])
      spec[name] ??= dig(old, 'spec', name);
  },
  validate: (service) => {
    const ports = items(specOf(service)['ports']);
    const none = text(specOf(service)['clusterIP']) === 'None';
    if (ports.length === 0 && !none) return [causes.required('spec.ports')];
    return ports.flatMap((port, index) => [
      ...(ports.length > 1 && text(port['name']) === ''
        ? [causes.required(`spec.ports[${index}].name`)]
        : []),
      ...(Number(port['port']) < 1 || Number(port['port']) > 65_535
        ? [
            causes.invalid(
              `spec.ports[${index}].port`,
              port['port'],
              'must be between 1 and 65535, inclusive',
            ),
          ]
        : []),
    ]);
  },
  validateUpdate: (service: KubeObject, old: KubeObject) => {
    const is = dig(service, 'spec', 'clusterIP');
    return is === dig(old, 'spec', 'clusterIP')
      ? []
      : [causes.invalid('spec.clusterIPs[0]', is, 'may not change once set')];
  },
};

/** Clusters that share a machine share the range: each draws its addresses at random, as kube-apiserver does. */
function freeAddress(cluster: Cluster): string {
  const taken = new Set(cluster.store.list('services').map((each) => dig(each, 'spec', 'clusterIP')));
  const start = randomInt(SIZE);
  for (let step = 0; step < SIZE; step += 1) {
    const number = FIRST + ((start + step) % SIZE);
    const address = `${RANGE}.${number >> 8}.${number & 255}`;
    if (!taken.has(address)) return address;
  }
  throw new ApiError(500, 'InternalError', 'failed to allocate a serviceIP: range is full');
}
