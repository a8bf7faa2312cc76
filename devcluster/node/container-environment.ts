import { type DownwardContext, fieldValue, resourceValue } from './downward.ts';
import { expandVariables } from './expand-variables.ts';
import type { ConfigMap, Container, Secret } from './pod.ts';

/** Looks up the objects that environment may come from; undefined when there is no such object. */
export interface ValueSources {
  configMap(name: string): Promise<ConfigMap | undefined>;
  secret(name: string): Promise<Secret | undefined>;
}

/** A container that cannot start yet: the kubelet shows it as waiting and tries again. */
export class ContainerConfigError extends Error {
  override readonly name = 'ContainerConfigError';
}

/**
 * The environment of a container, in the order and with the precedence of a kubelet: service variables, then
 * `envFrom`, then `env`, whose values may use what stands before them as `$(NAME)`.
 * @throws ContainerConfigError when a required object, key or field does not exist.
 */
export async function containerEnvironment(
  container: Container,
  services: ReadonlyMap<string, string>,
  context: DownwardContext,
  sources: ValueSources,
): Promise<Map<string, string>> {
  const own = new Map<string, string>();
  for (const from of container.envFrom ?? []) {
    const [kind, ref] = from.configMapRef
      ? (['configmap', from.configMapRef] as const)
      : (['secret', from.secretRef ?? {}] as const);
    const data = await dataOf(sources, kind, ref.name ?? '', ref.optional === true);
    for (const [key, value] of data ?? []) own.set(`${from.prefix ?? ''}${key}`, value.toString('utf8'));
  }
  for (const variable of container.env ?? []) {
    const known = new Map([...services, ...own]);
    if (variable.valueFrom === undefined) {
      own.set(variable.name, expandVariables(variable.value ?? '', known));
      continue;
    }
    const value = await valueFrom(container, variable.valueFrom, context, sources);
    if (value !== undefined) own.set(variable.name, value);
  }
  return new Map([...services, ...own]);
}

async function valueFrom(
  container: Container,
  from: NonNullable<NonNullable<Container['env']>[number]['valueFrom']>,
  context: DownwardContext,
  sources: ValueSources,
): Promise<string | undefined> {
  if (from.fieldRef) {
    const value = fieldValue(context, from.fieldRef);
    if (value === undefined)
      throw new ContainerConfigError(`unsupported fieldPath: ${from.fieldRef.fieldPath}`);
    return value;
  }
  if (from.resourceFieldRef) {
    const value = resourceValue(context, from.resourceFieldRef, container);
    if (value === undefined)
      throw new ContainerConfigError(`unsupported resource: ${from.resourceFieldRef.resource}`);
    return value;
  }
  const ref = from.configMapKeyRef ?? from.secretKeyRef;
  if (ref === undefined) throw new ContainerConfigError('valueFrom names no source');
  const kind = from.configMapKeyRef ? 'configmap' : 'secret';
  const data = await dataOf(sources, kind, ref.name ?? '', ref.optional === true);
  const value = data?.get(ref.key);
  if (value === undefined && data !== undefined && ref.optional !== true)
    throw new ContainerConfigError(`couldn't find key ${ref.key} in ${kind} ${ref.name}`);
  return value?.toString('utf8');
}

/** The data of a ConfigMap or Secret as bytes; undefined when it is absent and may be. */
async function dataOf(
  sources: ValueSources,
  kind: 'configmap' | 'secret',
  name: string,
  optional: boolean,
): Promise<Map<string, Buffer> | undefined> {
  const object = kind === 'configmap' ? await sources.configMap(name) : await sources.secret(name);
  if (object === undefined) {
    if (optional) return undefined;
    throw new ContainerConfigError(`${kind} "${name}" not found`);
  }
  return kind === 'configmap' ? configMapData(object) : secretData(object);
}

export function configMapData(object: ConfigMap): Map<string, Buffer> {
  return new Map([
    ...Object.entries(object.data ?? {}).map(([key, value]): [string, Buffer] => [key, Buffer.from(value)]),
    ...secretData({ metadata: object.metadata, data: object.binaryData ?? {} }),
  ]);
}

export function secretData(object: Secret): Map<string, Buffer> {
  return new Map(
    Object.entries(object.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]),
  );
}
