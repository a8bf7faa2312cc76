import { ISSUERS, type Issuer } from '../../names/signers.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { customResource } from '../../platform/kube/resources.ts';
import type { KubeObject } from '../../platform/kube/wire.ts';
import { rfc3339 } from '../controller/rfc3339.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export interface ClusterIssuer extends KubeObject {
  spec?: { secretName?: string; selfSign?: boolean };
  status?: { conditions?: Condition[] };
}

export const TCS_CLUSTER_ISSUERS = customResource<ClusterIssuer>(
  'tcs.intel.com/v1alpha1',
  'TCSClusterIssuer',
  'tcsclusterissuers',
  false,
);

const PURPOSE: Readonly<Record<Issuer, string>> = {
  system: 'certificates of components, by who asks',
  enclaves: 'certificates of enclaves, by evidence',
  users: "certificates of enclaves' users, by owner key or grant",
  'attestation-keys': 'certificates of attestation keys, by enrolment only',
};

/** Shows our four issuers as TCSClusterIssuers, ready: for people and for what reads the API of Intel's Trusted Certificate Service. */
export async function showClusterIssuers(kube: Kube, now: number): Promise<void> {
  for (const name of ISSUERS) {
    const found = (await kube.get(TCS_CLUSTER_ISSUERS, { name })) ?? (await create(kube, name));
    const [held] = found.status?.conditions?.filter(({ type }) => type === 'Ready') ?? [];
    if (held?.status === 'True' && held.message === PURPOSE[name]) continue;
    const ready = {
      type: 'Ready',
      status: 'True',
      reason: 'Reconcile',
      message: PURPOSE[name],
      lastTransitionTime: rfc3339(now),
    };
    await kube.patch(TCS_CLUSTER_ISSUERS, { name }, { status: { conditions: [ready] } }, 'merge', 'status');
  }
}

async function create(kube: Kube, name: Issuer): Promise<ClusterIssuer> {
  const issuer = { metadata: { name }, spec: { selfSign: true } };
  try {
    return await kube.create(TCS_CLUSTER_ISSUERS, issuer);
  } catch (error) {
    if (isKubeError(error, 'AlreadyExists')) return issuer;
    throw error;
  }
}
