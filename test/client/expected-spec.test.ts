import { expect, test } from 'vitest';
import { expectedSpecs } from '../../client/library/policy/expected-spec.ts';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { launchedPod } from '../../injection/launched-pod.ts';
import { injectedPod, specSha256 } from '../../injection/spec-sha256.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { FIXTURE_POLICY } from '../support/evidence.ts';
import { fixtureRoots } from '../support/fixture-certificates.ts';

const digest = 'ab'.repeat(32);
const sidecarImage = `registry.example/enclave-sidecar@sha256:${digest}`;
const profileSpec = {
  image: `registry.example/app@sha256:${digest}`,
  upstream: 'unix:/run/enclave/app.sock',
};
const rootsText = rootsToJson(fixtureRoots());
const launched = {
  enclave: 'eabcdefghijklmno',
  ownerKeySha256: 'cd'.repeat(32),
  profileSpec,
  rootsTexts: [rootsText],
  serverName: 'eabcdefghijklmno.enclaves.example',
};
const policy = { ...FIXTURE_POLICY, images: [profileSpec.image, sidecarImage] };

test('is the hash of the pod that the launcher makes and the webhook injects', () => {
  const pod = injectedPod(
    launchedPod(profileSpec, {
      enclave: launched.enclave,
      ownerKeySha256: launched.ownerKeySha256,
      namespace: 'team',
    }),
    { crypto: nodeCrypto, sidecarImage, roots: rootsText, enclaveDomain: 'enclaves.example' },
  );
  if (!pod.ok) throw new Error(pod.message);
  expect(expectedSpecs(policy, launched)).toEqual({
    ok: true,
    value: [specSha256(nodeCrypto, pod.value.spec ?? {})],
  });
});

test('changes with what was launched, and with nothing else', () => {
  const hash = (change: object) => {
    const specs = expectedSpecs(policy, { ...launched, ...change });
    return specs.ok ? specs.value[0] : specs.code;
  };
  const changes = [
    {},
    { ownerKeySha256: 'ef'.repeat(32) },
    { profileSpec: { ...profileSpec, args: ['--debug'] } },
    { rootsTexts: [rootsToJson(fixtureRoots('another cluster'))] },
    { serverName: 'eabcdefghijklmno.elsewhere' },
  ];
  expect(new Set(changes.map(hash)).size).toBe(changes.length);
});

test('is not computed from a policy that leaves the sidecar open, or from a profile that is none', () => {
  for (const images of [
    'any' as const,
    [profileSpec.image],
    [sidecarImage, sidecarImage.replace('ab', 'cd')],
  ])
    expect(expectedSpecs({ ...policy, images }, launched)).toMatchObject({
      ok: false,
      code: 'sidecar-image-unknown',
    });
  expect(expectedSpecs(policy, { ...launched, profileSpec: { image: 'app:latest' } })).toMatchObject({
    ok: false,
  });
});
