import type { Call } from '../call.ts';
import type { KubeObject } from '../object.ts';
import { apiVersionOf } from '../resource.ts';
import { eventFromCore, eventToCore } from './event.ts';

/** The stored object as the version and group that was asked for shows it. */
export function present(call: Pick<Call, 'resource'>, object: KubeObject): KubeObject {
  const { resource } = call;
  const apiVersion = apiVersionOf(resource);
  if (object.apiVersion === apiVersion) return object;
  return resource.table === 'events' ? eventFromCore(object) : { ...object, apiVersion };
}

/** The way back: what was sent, as it is stored. */
export function toStored(call: Pick<Call, 'resource'>, object: KubeObject): KubeObject {
  return call.resource.table === 'events' && call.resource.group !== '' ? eventToCore(object) : object;
}
