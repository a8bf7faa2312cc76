import { globSync, readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';

/** One thing that a role allows: a rule taken apart to one resource, verb and name. */
export interface Right {
  readonly role: string;
  /** Of a Role; none: a ClusterRole's. */
  readonly namespace: string | undefined;
  readonly group: string;
  /** With its subresource: `pods/log`. */
  readonly resource: string;
  readonly verb: string;
  /** None: every name. */
  readonly name: string | undefined;
}

/** One request that a component made, as the API server's audit log has it. */
export interface Request {
  /** Name of the service account. */
  readonly component: string;
  readonly namespace: string;
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly name: string;
  /** The role that allowed it; none: refused. */
  readonly allowedBy: string | undefined;
  /** Signer of the certificate request that came with it. */
  readonly signer: string | undefined;
}

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/** What the roles of the charts' YAML files allow. */
export function rightsOf(yaml: string): Right[] {
  return parseAllDocuments(yaml)
    .map((document) => document.toJS() as Role | null)
    .filter((object) => object !== null && /^(Cluster)?Role$/.test(object.kind))
    .flatMap((role) =>
      (role?.rules ?? []).flatMap(({ apiGroups, resources, resourceNames, verbs }) =>
        apiGroups.flatMap((group) =>
          resources.flatMap((resource) =>
            verbs.flatMap((verb) =>
              (resourceNames ?? [undefined]).map((name) => ({
                role: role?.metadata.name ?? '',
                namespace: role?.metadata.namespace,
                group,
                resource,
                verb,
                name,
              })),
            ),
          ),
        ),
      ),
    );
}

/** The rights that the chart gives its components: the roles that are named after them. */
export function chartRights(): Right[] {
  return globSync('charts/licensing/files/{agent,certs,front,launcher,webhook}.yaml')
    .sort()
    .flatMap((file) => rightsOf(readFileSync(file, 'utf8')));
}

export function printRight({ role, group, resource, verb, name }: Right): string {
  return `${role}: ${verb} ${resource}${group && `.${group}`}${name === undefined ? '' : ` ${name}`}`;
}

function isOf(role: string, component: string): boolean {
  return role === component || role.startsWith(`${component}-`);
}

function covers(right: Right, request: Request): boolean {
  return (
    isOf(right.role, request.component) &&
    right.group === request.group &&
    right.resource === request.resource &&
    right.verb === request.verb &&
    (right.namespace === undefined || right.namespace === request.namespace) &&
    (right.name === undefined || right.name === request.name)
  );
}

/**
 * What an API server asks of `signers` by itself: `approve` of whoever writes an approval, `sign` of whoever writes a certificate (Kubernetes,
 * "Certificates and Certificate Signing Requests", section "Request signing process"). It has no line in the log.
 */
function withSigners(request: Request): Request[] {
  const verb = {
    'certificatesigningrequests/approval': 'approve',
    'certificatesigningrequests/status': 'sign',
  }[request.resource];
  if (verb === undefined || request.signer === undefined) return [request];
  return [request, { ...request, resource: 'signers', verb, name: request.signer }];
}

/** What was refused although no rule's lag explains it, and what nobody used. */
export function compareRights(
  rights: readonly Right[],
  requests: readonly Request[],
): { missing: string[]; unused: string[] } {
  // Others in the namespace (doctor, whose rights an operator may leave out) are not the product's components.
  const all = requests
    .filter(({ component }) => rights.some(({ role }) => isOf(role, component)))
    .flatMap(withSigners);
  // A rule that is there and refused is one that the API server had not yet read when a component's first request came.
  const missing = all
    .filter((request) => request.allowedBy === undefined && !rights.some((right) => covers(right, request)))
    .map(
      ({ component, verb, resource, group, namespace, name }) =>
        `${component}: ${verb} ${resource}${group && `.${group}`} ${namespace}/${name}`,
    );
  const unused = rights.filter(
    (right) => !all.some((request) => request.allowedBy === right.role && covers(right, request)),
  );
  return { missing: [...new Set(missing)], unused: unused.map(printRight) };
}
