import { isDeepStrictEqual } from 'node:util';
import { type Cause, causes } from '../api-error.ts';
import { dig, type Fields, fields, items, type KubeObject, text } from '../object.ts';
import { type KindRules, specOf } from '../rules.ts';
import { admitPod } from './pod-admission.ts';
import { containersOf, defaultPod } from './pod-defaults.ts';

export const POD_RULES: KindRules = {
  defaults: defaultPod,
  admit: admitPod,
  prepareCreate: (_call, pod) => {
    pod.metadata.generation = 1;
    pod['status'] = { phase: 'Pending', qosClass: qosClass(pod) };
  },
  prepareUpdate: (_call, pod, old) => {
    if (!isDeepStrictEqual(pod['spec'], old['spec']))
      pod.metadata.generation = (old.metadata.generation ?? 0) + 1;
  },
  validate: validatePod,
  validateUpdate: validatePodUpdate,
  // A pod that nobody runs, or that has ended, needs no grace.
  gracePeriod: (pod) => {
    const phase = dig(pod, 'status', 'phase');
    if (text(specOf(pod)['nodeName']) === '' || phase === 'Succeeded' || phase === 'Failed') return 0;
    return Number(specOf(pod)['terminationGracePeriodSeconds'] ?? 30);
  },
  subresources: {
    status: (body, old) => ({
      ...old,
      metadata: body.metadata,
      status: { ...fields(body['status']), qosClass: dig(old, 'status', 'qosClass') },
    }),
  },
};

function qosClass(pod: KubeObject): string {
  const resources = containersOf(specOf(pod)).map((container) => fields(container['resources']));
  if (resources.every((each) => each['limits'] === undefined && each['requests'] === undefined))
    return 'BestEffort';
  const guaranteed = resources.every((each) => {
    const limits = fields(each['limits']);
    const requests = fields(each['requests']);
    return ['cpu', 'memory'].every((name) => limits[name] !== undefined && limits[name] === requests[name]);
  });
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const LABEL_MESSAGE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];

function validatePod(pod: KubeObject): Cause[] {
  const spec = specOf(pod);
  const found: Cause[] = [];
  const volumes = new Set<string>();
  for (const [index, volume] of items(spec['volumes']).entries()) {
    const name = text(volume['name']);
    const at = `spec.volumes[${index}].name`;
    if (name === '') found.push(causes.required(at));
    else if (!DNS_LABEL.test(name)) found.push(causes.invalid(at, name, LABEL_MESSAGE));
    else if (volumes.has(name)) found.push(causes.duplicate(at, name));
    volumes.add(name);
    const sources = Object.keys(volume).filter((each) => each !== 'name');
    for (const source of sources.slice(1))
      found.push(
        causes.forbidden(`spec.volumes[${index}].${source}`, 'may not specify more than 1 volume type'),
      );
  }
  if (items(spec['containers']).length === 0) found.push(causes.required('spec.containers'));
  const names = new Set<string>();
  for (const list of ['containers', 'initContainers'])
    for (const [index, container] of items(spec[list]).entries())
      found.push(...validateContainer(container, `spec.${list}[${index}]`, names, volumes));
  if (!RESTART_POLICIES.includes(text(spec['restartPolicy'])))
    found.push(causes.notSupported('spec.restartPolicy', spec['restartPolicy'], RESTART_POLICIES));
  return found;
}

function validateContainer(
  container: Fields,
  at: string,
  names: Set<string>,
  volumes: ReadonlySet<string>,
): Cause[] {
  const found: Cause[] = [];
  const name = text(container['name']);
  if (name === '') found.push(causes.required(`${at}.name`));
  else if (!DNS_LABEL.test(name)) found.push(causes.invalid(`${at}.name`, name, LABEL_MESSAGE));
  else if (names.has(name)) found.push(causes.duplicate(`${at}.name`, name));
  names.add(name);
  const image = text(container['image']);
  if (image === '') found.push(causes.required(`${at}.image`));
  else if (image.trim() !== image)
    found.push(causes.invalid(`${at}.image`, image, 'must not have leading or trailing whitespace'));
  for (const [index, variable] of items(container['env']).entries())
    if (text(variable['name']) === '') found.push(causes.required(`${at}.env[${index}].name`));
  const paths = new Set<string>();
  for (const [index, mount] of items(container['volumeMounts']).entries()) {
    const volume = text(mount['name']);
    const path = text(mount['mountPath']);
    if (volume === '') found.push(causes.required(`${at}.volumeMounts[${index}].name`));
    else if (!volumes.has(volume)) found.push(causes.notFound(`${at}.volumeMounts[${index}].name`, volume));
    if (path === '') found.push(causes.required(`${at}.volumeMounts[${index}].mountPath`));
    else if (paths.has(path))
      found.push(causes.invalid(`${at}.volumeMounts[${index}].mountPath`, path, 'must be unique'));
    paths.add(path);
  }
  const policy = container['restartPolicy'];
  if (policy !== undefined && at.startsWith('spec.initContainers') && policy !== 'Always')
    found.push(causes.notSupported(`${at}.restartPolicy`, policy, ['Always']));
  return found;
}

const IMMUTABLE =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** A pod's spec stands but for images, tolerations that are added, and a deadline that is set or shortened. */
function validatePodUpdate(pod: KubeObject, old: KubeObject): Cause[] {
  const spec = specOf(pod);
  const was = specOf(old);
  const kept = items(was['tolerations']).every((toleration) =>
    items(spec['tolerations']).some((each) => isDeepStrictEqual(each, toleration)),
  );
  if (!kept)
    return [
      causes.forbidden(
        'spec.tolerations',
        'existing toleration can not be modified except its tolerationSeconds',
      ),
    ];
  return isDeepStrictEqual(fixed(spec), fixed(was)) ? [] : [causes.forbidden('spec', IMMUTABLE)];
}

function fixed(spec: Fields): Fields {
  const imageless = (list: unknown): Fields[] => items(list).map((each) => ({ ...each, image: '' }));
  return {
    ...spec,
    containers: imageless(spec['containers']),
    initContainers: imageless(spec['initContainers']),
    activeDeadlineSeconds: undefined,
    tolerations: undefined,
  };
}
