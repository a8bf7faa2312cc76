import { randomInt } from 'node:crypto';
import { forbidden } from '../api-error.ts';
import type { Call } from '../call.ts';
import { type Fields, items, type KubeObject, text } from '../object.ts';
import { storageKey } from '../resource.ts';
import { specOf } from '../rules.ts';
import { containersOf } from './pod-defaults.ts';

const TOKEN_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
/** A year's renewals never fall on the hour: the odd seconds tell the kubelet that the server chose them. */
const TOKEN_SECONDS = 3607;
const NODE_PREFIX = 'system:node:';
const NOT_READY_SECONDS = 300;
const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** The admission plugins ServiceAccount, Priority and DefaultTolerationSeconds, at creation. */
export function admitPod(call: Call, pod: KubeObject, old: KubeObject | undefined): void {
  if (old !== undefined || call.request.subresource !== '') return;
  const spec = specOf(pod);
  restrictNode(call, pod);
  mountServiceAccount(call, pod, spec);
  spec['priority'] ??= 0;
  spec['preemptionPolicy'] ??= 'PreemptLowerPriority';
  addTolerations(spec);
}

/** NodeRestriction: a kubelet creates mirrors of its own static pods and no others, which here are none. */
function restrictNode(call: Call, pod: KubeObject): void {
  const { username, groups } = call.user;
  if (!groups.includes('system:nodes') || !username.startsWith(NODE_PREFIX)) return;
  throw forbidden(
    call.resource,
    pod.metadata.name ?? '',
    `pod does not have "kubernetes.io/config.mirror" annotation, node "${username.slice(NODE_PREFIX.length)}" can only create mirror pods`,
  );
}

function mountServiceAccount(call: Call, pod: KubeObject, spec: Fields): void {
  const namespace = call.request.namespace ?? '';
  const name = text(spec['serviceAccountName']) || 'default';
  spec['serviceAccountName'] = name;
  spec['serviceAccount'] = name;
  const account = call.cluster.store.get('serviceaccounts', storageKey(namespace, name));
  if (account === undefined)
    throw forbidden(
      call.resource,
      pod.metadata.name ?? '',
      `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
    );
  if (spec['imagePullSecrets'] === undefined && account['imagePullSecrets'] !== undefined)
    spec['imagePullSecrets'] = account['imagePullSecrets'];
  if ((spec['automountServiceAccountToken'] ?? account['automountServiceAccountToken'] ?? true) !== true)
    return;

  const held = items(spec['volumes']).find((volume) => text(volume['name']).startsWith('kube-api-access-'));
  const volume = text(held?.['name']) || `kube-api-access-${suffix()}`;
  let used = false;
  for (const container of containersOf(spec)) {
    const mounts = items(container['volumeMounts']);
    if (mounts.some((mount) => mount['mountPath'] === TOKEN_FOLDER)) continue;
    container['volumeMounts'] = [...mounts, { name: volume, readOnly: true, mountPath: TOKEN_FOLDER }];
    used = true;
  }
  if (used && held === undefined) spec['volumes'] = [...items(spec['volumes']), tokenVolume(volume)];
}

function suffix(): string {
  return Array.from({ length: 5 }, () => SUFFIX_ALPHABET.charAt(randomInt(SUFFIX_ALPHABET.length))).join('');
}

function tokenVolume(name: string): Fields {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 0o644,
    },
  };
}

function addTolerations(spec: Fields): void {
  const held = items(spec['tolerations']);
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    const tolerated = held.some(
      (toleration) =>
        ['', key].includes(text(toleration['key'])) && ['', 'NoExecute'].includes(text(toleration['effect'])),
    );
    if (!tolerated)
      held.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: NOT_READY_SECONDS });
  }
  spec['tolerations'] = held;
}
