import type { Fields, KubeObject } from '../object.ts';

/** The field names of one Event in v1 and in events.k8s.io/v1; the others are the same in both. */
const NAMES: readonly (readonly [core: string, events: string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];

/** Events are kept as v1. */
export function eventToCore(object: KubeObject): KubeObject {
  return renamed(object, 'v1', ([core, events]) => [events, core]);
}

export function eventFromCore(object: KubeObject): KubeObject {
  return renamed(object, 'events.k8s.io/v1', ([core, events]) => [core, events]);
}

function renamed(
  object: KubeObject,
  apiVersion: string,
  pair: (names: readonly [string, string]) => readonly [from: string, to: string],
): KubeObject {
  const names = new Map(NAMES.map(pair));
  const shown: Fields = {};
  for (const [name, value] of Object.entries(object)) shown[names.get(name) ?? name] = value;
  return { ...(shown as KubeObject), apiVersion };
}
