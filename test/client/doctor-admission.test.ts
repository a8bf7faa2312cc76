import { expect, test } from 'vitest';
import { readAdmission } from '../../client/command/doctor/read-admission.ts';
import { ENABLED, INJECTION_LABEL } from '../../names/labels.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { KubeError } from '../../platform/kube/kube-error.ts';
import type { Pod } from '../../platform/kube/resources.ts';

const namespaces = {
  ok: true,
  value: ['enclaves', 'aaa', 'kube-system', 'licensing'].map((name) => ({
    metadata: { name, labels: { [INJECTION_LABEL]: ENABLED } },
  })),
} as const;

/** An API server on which pods may be created in these namespaces. */
function kubeOf(...writable: string[]): { kube: Kube; asked: string[] } {
  const asked: string[] = [];
  const create = async (_: unknown, pod: Pod): Promise<Pod> => {
    const namespace = pod.metadata?.namespace ?? '';
    asked.push(namespace);
    if (writable.includes(namespace)) return pod;
    throw new KubeError(
      403,
      'Forbidden',
      `User "doctor" cannot create resource "pods" in namespace "${namespace}"`,
    );
  };
  return { kube: { create } as unknown as Kube, asked };
}

test('admission is tried where doctor may create pods, whatever other namespaces are labelled', async () => {
  const { kube, asked } = kubeOf('enclaves');
  expect(await readAdmission(kube, namespaces, 'licensing')).toMatchObject({
    namespace: 'enclaves',
    enclave: { ok: true, value: { admitted: true } },
    forged: { ok: true },
  });
  expect(asked).toEqual(['aaa', 'aaa', 'enclaves', 'enclaves']);
});

test('where it may create none, that is said of one of them', async () => {
  const { kube } = kubeOf();
  expect(await readAdmission(kube, namespaces, 'licensing')).toMatchObject({
    namespace: 'aaa',
    enclave: { ok: false },
    forged: { ok: false },
  });
});
