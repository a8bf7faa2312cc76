import type { AttestedNode } from '../../../platform/kube/attested-nodes.ts';
import type {
  ConfigMap,
  CustomResourceDefinition,
  DaemonSet,
  EndpointSlice,
  Event,
  Lease,
  MutatingWebhookConfiguration,
  Namespace,
  NetworkPolicy,
  Node,
  Pod,
  RoleBinding,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '../../../platform/kube/resources.ts';
import type { ServerVersion } from '../../../platform/kube/server-version.ts';
import type { Read } from './read.ts';
import type { ReleaseObjects } from './release-objects.ts';

/** All that the checks judge: read once, before anything is decided, so that a check is a function of it. */
export interface Snapshot {
  /** Namespace of the release. */
  readonly namespace: string;
  readonly server: ServerVersion;
  /** Of this program. */
  readonly version: string;
  /** What this version's chart has. */
  readonly release: ReleaseObjects;
  readonly nodes: Read<readonly Node[]>;
  readonly namespaces: Read<readonly Namespace[]>;
  readonly definitions: Read<readonly CustomResourceDefinition[]>;
  readonly mutating: Read<MutatingWebhookConfiguration | undefined>;
  readonly validating: Read<ValidatingWebhookConfiguration | undefined>;
  readonly policies: Read<readonly ValidatingAdmissionPolicy[]>;
  readonly policyBindings: Read<readonly ValidatingAdmissionPolicyBinding[]>;
  readonly attestedNodes: Read<readonly AttestedNode[]>;
  readonly networkPolicies: Read<readonly NetworkPolicy[]>;
  readonly roleBindings: Read<readonly RoleBinding[]>;
  /** Of the release's namespace. */
  readonly pods: Read<readonly Pod[]>;
  readonly events: Read<readonly Event[]>;
  readonly leases: Read<readonly Lease[]>;
  readonly daemonSets: Read<readonly DaemonSet[]>;
  readonly endpointSlices: Read<readonly EndpointSlice[]>;
  readonly roots: Read<ConfigMap | undefined>;
  readonly findings: Read<ConfigMap | undefined>;
  /** Of the kubelets. */
  readonly nodeLeases: Read<readonly Lease[]>;
  /** The last lines of a component's pod that is not ready, by the pod's name. */
  readonly logs: ReadonlyMap<string, Read<string>>;
  readonly rights: Read<readonly Right[]>;
  readonly ownRights: Read<readonly Right[]>;
  /** What became of pods that were created for show (dryRun), in the first labelled namespace; undefined where there is none. */
  readonly admission: Admission | undefined;
  /** The roots that the operator or `init` pinned; undefined without. */
  readonly pinned: { readonly text: string; readonly sha256: string } | undefined;
  /** Undefined when no server is given. */
  readonly front: Front | undefined;
}

/** One verb that somebody should have, and whether the API server says so. */
export interface Right {
  /** Service account, or `you`. */
  readonly who: string;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly allowed: boolean;
}

/** The API server's answer to a pod that was created for show. */
export type PodAnswer =
  | { readonly admitted: true; readonly pod: Pod }
  | { readonly admitted: false; readonly message: string };

export interface Admission {
  readonly namespace: string;
  /** A self-deployed enclave as it should be. */
  readonly enclave: Read<PodAnswer>;
  /** A pod without a sidecar that says it is one: by an annotation that only the webhook writes. */
  readonly forged: Read<PodAnswer>;
}

export interface Front {
  readonly address: string;
  readonly answer: Read<{
    /** Whether its certificate is front's under the roots that are held here. */
    readonly authenticated: boolean;
    /** Whether a system root that is held here signed the trust document. */
    readonly vouched: boolean;
    /** Unix seconds. */
    readonly issuedAt: number;
    readonly rootsSha256: string;
    readonly pcrs: string;
  }>;
}
