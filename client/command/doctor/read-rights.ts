import type { Kube } from '../../../platform/kube/kube.ts';
import { SELF_SUBJECT_ACCESS_REVIEWS, SUBJECT_ACCESS_REVIEWS } from '../../../platform/kube/resources.ts';
import type { KubeObject } from '../../../platform/kube/wire.ts';
import { attempt, type Read } from './read.ts';
import { ofKind, type ReleaseObjects } from './release-objects.ts';
import type { Right } from './snapshot.ts';

type Asked = Omit<Right, 'allowed'>;

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}
interface Role extends KubeObject {
  readonly rules?: readonly Rule[];
}
interface Binding extends KubeObject {
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly namespace?: string;
  }[];
}

/** The account that doctor itself runs as where it runs in the cluster: its rules are what doctor needs anywhere. */
const DOCTOR = 'enclave-doctor';
/** Questions under way at once. */
const AT_ONCE = 16;
const LIMIT_MS = 20_000;

/** Asks the API server, for each service account of the chart, about every verb of its rules. */
export function readRights(kube: Kube, release: ReleaseObjects): Promise<Read<readonly Right[]>> {
  const asked = grants(release).filter(({ who }) => !who.endsWith(`:${DOCTOR}`));
  return attempt(
    () =>
      each(asked, async (right) => {
        const [, , namespace = '', account = ''] = right.who.split(':');
        const groups = [
          'system:serviceaccounts',
          `system:serviceaccounts:${namespace}`,
          'system:authenticated',
        ];
        const spec = { user: right.who, groups, resourceAttributes: attributes(right) };
        const { status } = await kube.create(SUBJECT_ACCESS_REVIEWS, { spec });
        return { ...right, who: account, allowed: status?.allowed === true };
      }),
    LIMIT_MS,
  );
}

/** The same about whoever runs doctor, and the rules that the chart gives to doctor. */
export function readOwnRights(kube: Kube, release: ReleaseObjects): Promise<Read<readonly Right[]>> {
  const asked = grants(release).filter(({ who }) => who.endsWith(`:${DOCTOR}`));
  return attempt(
    () =>
      each(asked, async (right) => {
        const spec = { resourceAttributes: attributes(right) };
        const { status } = await kube.create(SELF_SUBJECT_ACCESS_REVIEWS, { spec });
        return { ...right, who: 'you', allowed: status?.allowed === true };
      }),
    LIMIT_MS,
  );
}

/** What the bindings among these objects give to whom, one verb of one resource each. */
function grants(release: ReleaseObjects): Asked[] {
  const bindings = [
    ...ofKind<Binding>(release, 'ClusterRoleBinding'),
    ...ofKind<Binding>(release, 'RoleBinding'),
  ];
  return bindings.flatMap(({ kind, metadata, roleRef, subjects = [] }) => {
    const namespace = kind === 'RoleBinding' ? metadata?.namespace : undefined;
    // A Role of the same name may stand in several namespaces.
    const role = ofKind<Role>(release, roleRef.kind).find(
      (found) => found.metadata?.name === roleRef.name && found.metadata.namespace === namespace,
    );
    return subjects.flatMap((subject) => {
      const who = `system:serviceaccount:${subject.namespace ?? ''}:${subject.name}`;
      return (role?.rules ?? []).flatMap((rule) => expand(rule, who, namespace));
    });
  });
}

function expand(rule: Rule, who: string, namespace: string | undefined): Asked[] {
  const place = namespace === undefined ? {} : { namespace };
  return (rule.apiGroups ?? []).flatMap((group) =>
    (rule.resources ?? []).flatMap((resource) =>
      rule.verbs.flatMap((verb) =>
        (rule.resourceNames ?? [undefined]).map((name) => ({
          who,
          verb,
          group,
          resource,
          ...place,
          ...(name !== undefined && { name }),
        })),
      ),
    ),
  );
}

function attributes({ verb, group, resource: full, name, namespace }: Asked) {
  const [resource = '', subresource] = full.split('/');
  return {
    verb,
    group,
    resource,
    ...(subresource !== undefined && { subresource }),
    ...(name !== undefined && { name }),
    ...(namespace !== undefined && { namespace }),
  };
}

/** In order, some at once. @throws the first failure */
async function each<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const turn = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i] as T);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, turn));
  return results;
}
