import { methodNotAllowed } from './api-error.ts';
import type { Call } from './call.ts';
import { present } from './kinds/present.ts';
import { sweepNamespace } from './namespace-sweep.ts';
import type { Fields } from './object.ts';
import { create } from './rest/create.ts';
import { deletedAnswer, deleteMany, deleteOne } from './rest/delete.ts';
import { get, list, toList } from './rest/list.ts';
import { patch } from './rest/patch.ts';
import { update } from './rest/update.ts';
import { bindPod } from './special/binding.ts';
import { REVIEWS } from './special/reviews.ts';
import { requestToken } from './special/token-request.ts';

export interface Answer {
  readonly status: number;
  readonly result: Fields;
}

/** Creations that store nothing of their own, by `resource` or `resource/subresource`. */
const SPECIAL: Readonly<Record<string, (call: Call, body: unknown) => Fields | Promise<Fields>>> = {
  ...REVIEWS,
  'pods/binding': bindPod,
  'serviceaccounts/token': requestToken,
};

/** One request for a resource, watch and log apart. */
export async function perform(call: Call, mediaType: string, body: unknown): Promise<Answer> {
  const { verb, resource, subresource, name } = call.request;
  const verbs =
    subresource === '' ? call.resource.verbs : (call.resource.subresources[subresource]?.verbs ?? []);
  const onOne = ['update', 'patch'].includes(verb) || subresource !== '';
  const onMany = verb === 'create' && subresource === '';
  if (!verbs.includes(verb) || (onOne && name === '') || (onMany && name !== '')) throw methodNotAllowed();
  const special =
    verb === 'create' ? SPECIAL[subresource === '' ? resource : `${resource}/${subresource}`] : undefined;
  if (special !== undefined) return { status: 201, result: await special(call, body) };
  switch (verb) {
    case 'get':
      return { status: 200, result: present(call, get(call)) };
    case 'list':
      return { status: 200, result: toList(call, list(call)) };
    case 'create':
      return { status: 201, result: present(call, await create(call, body)) };
    case 'update':
      return { status: 200, result: present(call, await update(call, body)) };
    case 'patch':
      return { status: 200, result: present(call, await patch(call, mediaType, body)) };
    case 'delete': {
      const { object, gone } = await deleteOne(call, body);
      if (resource === 'namespaces' && !gone && !call.dryRun) sweepNamespace(call, object);
      return { status: 200, result: gone ? deletedAnswer(call, object) : present(call, object) };
    }
    case 'deletecollection': {
      const objects = await deleteMany(call, body);
      const metadata = { resourceVersion: String(call.cluster.store.revision) };
      return { status: 200, result: toList(call, { objects, metadata }) };
    }
    default:
      throw methodNotAllowed();
  }
}
