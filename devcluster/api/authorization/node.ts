import type { User } from '../call.ts';
import type { Cluster } from '../cluster.ts';
import { containersOf } from '../kinds/pod-defaults.ts';
import { dig, type Fields, fields, items, type KubeObject, text } from '../object.ts';
import { storageKey } from '../resource.ts';
import { specOf } from '../rules.ts';
import type { Attributes, Decision } from './attributes.ts';

const GROUP = 'system:nodes';
const PREFIX = 'system:node:';
const READ = ['get', 'list', 'watch'];

type Rule = (of: { node: string; cluster: Cluster; asked: Attributes }) => boolean;

const always: Rule = () => true;
const own: Rule = ({ node, asked }) =>
  asked.name === node || asked.verb === 'create' || asked.fieldSelector === `metadata.name=${node}`;
const ownPod: Rule = ({ node, cluster, asked }) => {
  if (asked.verb === 'create') return true;
  const { name = '' } = asked;
  if (name === '') return (asked.fieldSelector ?? '').split(',').includes(`spec.nodeName=${node}`);
  const pod = cluster.store.get('pods', storageKey(asked.namespace, name));
  return pod === undefined || specOf(pod)['nodeName'] === node;
};
const referenced =
  (by: (pod: KubeObject) => readonly string[]): Rule =>
  ({ node, cluster, asked }) => {
    const { name = '' } = asked;
    const selected = /^metadata\.name=([^,]+)$/.exec(asked.fieldSelector ?? '')?.[1];
    return cluster.store
      .list('pods', asked.namespace)
      .some(
        (pod) => specOf(pod)['nodeName'] === node && by(pod).includes(name === '' ? (selected ?? '') : name),
      );
  };

/** What a kubelet may: verbs and condition by `group/resource[/subresource]`. */
const RULES: Readonly<Record<string, readonly [verbs: readonly string[], rule: Rule]>> = {
  '/pods': [[...READ, 'create', 'delete'], ownPod],
  '/pods/status': [['update', 'patch'], ownPod],
  '/nodes': [[...READ, 'create', 'update', 'patch'], own],
  '/nodes/status': [['update', 'patch'], own],
  '/services': [READ, always],
  '/secrets': [READ, referenced(secretsOf)],
  '/configmaps': [READ, referenced(configMapsOf)],
  '/serviceaccounts': [['get'], referenced(accountOf)],
  '/serviceaccounts/token': [['create'], referenced(accountOf)],
  '/events': [['create', 'patch', 'update'], always],
  'events.k8s.io/events': [['create', 'patch', 'update'], always],
  'coordination.k8s.io/leases': [
    ['get', 'create', 'update', 'patch', 'delete'],
    (of) => of.asked.namespace === 'kube-node-lease' && own(of),
  ],
  'certificates.k8s.io/certificatesigningrequests': [['create', ...READ], always],
  'authentication.k8s.io/tokenreviews': [['create'], always],
  'authorization.k8s.io/subjectaccessreviews': [['create'], always],
};

/** The Node authorizer: a kubelet reaches its own node, the pods bound to it, and what those pods refer to. */
export function authorizeNode(cluster: Cluster, user: User, asked: Attributes): Decision {
  if (!user.groups.includes(GROUP) || !user.username.startsWith(PREFIX)) return { allowed: false };
  const node = user.username.slice(PREFIX.length);
  const { group = '', resource = '', subresource = '', verb } = asked;
  const held = RULES[`${group}/${resource}${subresource === '' ? '' : `/${subresource}`}`];
  if (held === undefined || !held[0].includes(verb)) return { allowed: false };
  return held[1]({ node, cluster, asked })
    ? { allowed: true }
    : { allowed: false, reason: `no relationship found between node '${node}' and this object` };
}

function accountOf(pod: KubeObject): string[] {
  return [text(specOf(pod)['serviceAccountName'])];
}

function secretsOf(pod: KubeObject): string[] {
  return [
    ...items(specOf(pod)['imagePullSecrets']).map((each) => text(each['name'])),
    ...references(pod, 'secret', 'secretName', 'secretKeyRef', 'secretRef'),
  ];
}

function configMapsOf(pod: KubeObject): string[] {
  return references(pod, 'configMap', 'name', 'configMapKeyRef', 'configMapRef');
}

/** Names in volumes, projections and environment. */
function references(pod: KubeObject, volume: string, member: string, key: string, from: string): string[] {
  const spec = specOf(pod);
  const volumes = items(spec['volumes']);
  const sources: Fields[] = volumes.map((each) => fields(each[volume]));
  const projected = volumes.flatMap((each) => items(dig(each, 'projected', 'sources')));
  const containers = containersOf(spec);
  return [
    ...sources.map((source) => text(source[member])),
    ...projected.map((source) => text(dig(source, volume, 'name'))),
    ...containers
      .flatMap((each) => items(each['env']))
      .map((env) => text(dig(env, 'valueFrom', key, 'name'))),
    ...containers.flatMap((each) => items(each['envFrom'])).map((env) => text(dig(env, from, 'name'))),
  ].filter((name) => name !== '');
}
