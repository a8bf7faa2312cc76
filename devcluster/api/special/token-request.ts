import { type ApiError, badRequest, causes, conflict, forbidden, invalid, notFound } from '../api-error.ts';
import type { Call } from '../call.ts';
import { dig, type Fields, items, type KubeObject, text, texts, timestamp } from '../object.ts';
import { storageKey } from '../resource.ts';
import { normalize } from '../schema/normalize.ts';
import type { TokenSubject } from '../tokens.ts';

const SHORTEST = 600;
const LONGEST = 2 ** 32;
const NODE_PREFIX = 'system:node:';

/** POST serviceaccounts/<name>/token: authentication.k8s.io/v1 TokenRequest. */
export async function requestToken(call: Call, body: unknown): Promise<Fields> {
  const { cluster, request } = call;
  const { namespace = '', name } = request;
  const account = cluster.store.get('serviceaccounts', storageKey(namespace, name));
  if (account === undefined) throw notFound(call.resource, name);
  const asked = normalize('TokenRequest', body ?? {}, []);
  const given = texts(dig(asked, 'spec', 'audiences'));
  const audiences = given.length === 0 ? [cluster.tokens.issuer] : given;
  const seconds = Number(dig(asked, 'spec', 'expirationSeconds') ?? 3600);
  if (seconds < SHORTEST || seconds > LONGEST)
    throw invalid({ group: 'authentication.k8s.io', plural: 'tokenrequests', kind: 'TokenRequest' }, '', [
      causes.invalid(
        'spec.expirationSeconds',
        seconds,
        seconds < SHORTEST
          ? 'may not specify a duration less than 10 minutes'
          : 'may not specify a duration larger than 2^32 seconds',
      ),
    ]);
  const bound = boundTo(call, account, dig(asked, 'spec', 'boundObjectRef'));
  restrictNode(call, bound.pod, given);
  const token = await cluster.tokens.issue(bound, audiences, seconds);
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, uid: account.metadata.uid, creationTimestamp: timestamp(cluster.now()) },
    spec: { ...(asked['spec'] as Fields), audiences, expirationSeconds: seconds },
    status: { token, expirationTimestamp: timestamp(cluster.now() + seconds * 1000) },
  };
}

function boundTo(call: Call, account: KubeObject, reference: unknown): TokenSubject {
  if (reference === undefined) return { account };
  const kind = text(dig(reference, 'kind'));
  const name = text(dig(reference, 'name'));
  const { cluster, request } = call;
  if (kind !== 'Pod' && kind !== 'Secret')
    throw badRequest(
      `cannot bind token to object of type /${text(dig(reference, 'apiVersion'))}, Kind=${kind}`,
    );
  const plural = kind === 'Pod' ? 'pods' : 'secrets';
  const object = cluster.store.get(plural, storageKey(request.namespace, name));
  if (object === undefined) throw notFound({ group: '', plural, kind }, name);
  const uid = text(dig(reference, 'uid'));
  if (kind === 'Pod' && dig(object, 'spec', 'serviceAccountName') !== account.metadata.name)
    throw badRequest(
      `cannot bind token for serviceaccount "${account.metadata.name}" to pod running with different serviceaccount name.`,
    );
  if (uid !== '' && uid !== object.metadata.uid)
    throw conflict(
      { group: '', plural: kind, kind },
      name,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  if (kind === 'Secret') return { account, secret: object };
  const nodeName = text(dig(object, 'spec', 'nodeName'));
  if (nodeName === '') return { account, pod: object };
  const node = cluster.store.get('nodes', storageKey(undefined, nodeName));
  return {
    account,
    pod: object,
    node: { name: nodeName, ...(node === undefined ? {} : { uid: node.metadata.uid }) },
  };
}

/** Admission NodeRestriction: a kubelet asks for tokens of its own pods only, and for audiences that the pod names. */
function restrictNode(call: Call, pod: KubeObject | undefined, audiences: readonly string[]): void {
  const { username, groups } = call.user;
  if (!groups.includes('system:nodes') || !username.startsWith(NODE_PREFIX)) return;
  const node = username.slice(NODE_PREFIX.length);
  const refuse = (why: string): ApiError => forbidden(call.resource, call.request.name, why);
  if (pod === undefined) throw refuse('node requested token not bound to a pod');
  if (dig(pod, 'spec', 'nodeName') !== node)
    throw refuse('node requested token bound to a pod scheduled on a different node');
  const named = items(dig(pod, 'spec', 'volumes'))
    .flatMap((volume) => items(dig(volume, 'projected', 'sources')))
    .map((source) => text(dig(source, 'serviceAccountToken', 'audience')));
  for (const audience of audiences)
    if (audience !== '' && audience !== call.cluster.tokens.issuer && !named.includes(audience))
      throw refuse(
        `audience "${audience}" not found in pod spec volume, system:node:${node} is not authorized to request tokens for this audience`,
      );
}
