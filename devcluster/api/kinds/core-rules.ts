import { isDeepStrictEqual } from 'node:util';
import { causes } from '../api-error.ts';
import { furnishNamespace } from '../furnish-namespace.ts';
import { dig, fields, items, type KubeObject } from '../object.ts';
import { type KindRules, specOf } from '../rules.ts';

export const NAMESPACE_RULES: KindRules = {
  defaults: (namespace) => {
    if (namespace.metadata.name)
      namespace.metadata.labels = {
        ...namespace.metadata.labels,
        'kubernetes.io/metadata.name': namespace.metadata.name,
      };
    specOf(namespace)['finalizers'] ??= ['kubernetes'];
    const status = fields(namespace['status']);
    namespace['status'] = { ...status, phase: status['phase'] ?? 'Active' };
  },
  going: (namespace) => ({
    ...namespace,
    status: { ...fields(namespace['status']), phase: 'Terminating' },
  }),
  created: (call, namespace) => furnishNamespace(call.cluster, namespace.metadata.name),
  subresources: {
    finalize: (body, old) => ({ ...old, metadata: body.metadata, spec: body['spec'] }),
  },
};

export const NODE_RULES: KindRules = {
  // TaintNodesByCondition: nothing is scheduled to a node that has not said it is ready.
  admit: (_call, node, old) => {
    if (old !== undefined) return;
    const spec = specOf(node);
    const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
    if (!items(spec['taints']).some((each) => each['key'] === taint.key))
      spec['taints'] = [...items(spec['taints']), taint];
  },
  subresources: {
    status: (body, old) => ({ ...old, metadata: body.metadata, status: body['status'] }),
  },
};

export const SECRET_RULES: KindRules = {
  defaults: (secret) => {
    secret['type'] ??= 'Opaque';
    const written = secret['stringData'];
    if (written === undefined) return;
    const data = { ...fields(secret['data']) };
    for (const [key, value] of Object.entries(fields(written)))
      data[key] = Buffer.from(String(value)).toString('base64');
    secret['data'] = data;
    delete secret['stringData'];
  },
  validateUpdate: (secret, old) => {
    if (secret['type'] !== old['type']) return [causes.invalid('type', secret['type'], 'field is immutable')];
    return immutableData(secret, old);
  },
};

export const CONFIG_MAP_RULES: KindRules = { validateUpdate: immutableData };

/** `immutable: true` holds the data and itself for good. */
function immutableData(
  object: KubeObject,
  old: KubeObject,
): ReturnType<NonNullable<KindRules['validateUpdate']>> {
  if (old['immutable'] !== true) return [];
  if (object['immutable'] !== true)
    return [causes.forbidden('immutable', 'field is immutable when `immutable` is set')];
  return ['data', 'binaryData']
    .filter((name) => !isDeepStrictEqual(object[name] ?? {}, old[name] ?? {}))
    .map((name) => causes.forbidden(name, 'field is immutable when `immutable` is set'));
}

export const LEASE_RULES: KindRules = {
  validate: (lease) => {
    const spec = specOf(lease);
    const seconds = spec['leaseDurationSeconds'];
    const transitions = spec['leaseTransitions'];
    return [
      ...(seconds !== undefined && Number(seconds) <= 0
        ? [causes.invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0')]
        : []),
      ...(transitions !== undefined && Number(transitions) < 0
        ? [causes.invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0')]
        : []),
    ];
  },
};

export const BINDING_RULES: KindRules = {
  validate: (binding) => {
    const roleRef = fields(binding['roleRef']);
    return roleRef['kind'] === 'Role' || roleRef['kind'] === 'ClusterRole'
      ? []
      : [causes.notSupported('roleRef.kind', roleRef['kind'], ['Role', 'ClusterRole'])];
  },
  defaults: (binding) => {
    const roleRef = fields(binding['roleRef']);
    if (roleRef['apiGroup'] === '' || roleRef['apiGroup'] === undefined)
      roleRef['apiGroup'] = 'rbac.authorization.k8s.io';
    for (const subject of items(binding['subjects']))
      if (subject['kind'] !== 'ServiceAccount') subject['apiGroup'] ??= 'rbac.authorization.k8s.io';
  },
  validateUpdate: (binding, old) =>
    isDeepStrictEqual(binding['roleRef'], old['roleRef'])
      ? []
      : [causes.invalid('roleRef', dig(binding, 'roleRef'), 'cannot change roleRef')],
};
