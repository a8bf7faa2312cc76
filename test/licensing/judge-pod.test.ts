import { expect, test } from 'vitest';
import type { Pod as InjectionPod } from '../../injection/pod.ts';
import { whyNotHandedOut } from '../../licensing/launcher/launch/judge-pod.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import { CONFIG, SIDECAR_IMAGE } from '../injection/support.ts';
import { injected } from '../support/keeper-pods.ts';

test('evidence of a pod is handed out for its own enclave, and for no other', () => {
  const pod: InjectionPod = injected();
  const expected = {
    sidecarImage: SIDECAR_IMAGE,
    formerSidecarImages: [],
    enclaveDomain: CONFIG.enclaveDomain,
    acceptsRoots: (text: string) => text === CONFIG.roots,
  };
  expect(whyNotHandedOut(pod as Pod, 'shop.web', expected)).toBeUndefined();
  expect(whyNotHandedOut(pod as Pod, 'eother', expected)).toMatchObject({ code: 'pod-differs' });
  expect(whyNotHandedOut(pod as Pod, 'shop.web', { ...expected, acceptsRoots: () => false })).toBeDefined();
});
