import { describe, expect, test } from 'vitest';
import { compareSidecar } from '../../injection/compare-sidecar.ts';
import { decide } from '../../injection/decide.ts';
import { launchedPod } from '../../injection/launched-pod.ts';
import type { Container } from '../../injection/pod.ts';
import { readSidecar } from '../../injection/read-sidecar.ts';
import { TEMPLATES } from '../../injection/template.ts';
import { ANNOTATIONS, INJECT_LABEL } from '../../names/labels.ts';
import { goldenPods } from './golden-pods.ts';
import { API_ACCESS_MOUNT, injected, LAUNCH, PROFILE, profile, stored } from './stored-pod.ts';
import { APP_IMAGE, CONFIG, enclavePod, OWNER_KEY, SIDECAR_IMAGE } from './support.ts';

const COMPARISON = {
  sidecarImages: [SIDECAR_IMAGE],
  enclaveDomain: CONFIG.enclaveDomain,
  acceptsRoots: (roots: string) => roots === CONFIG.roots,
};
describe('compareSidecar', () => {
  test('accepts what was injected, as stored, and returns what the sidecar was told', () => {
    expect(compareSidecar(stored(injected(launchedPod(profile(), LAUNCH))), COMPARISON)).toMatchObject({
      ok: true,
      value: {
        enclave: LAUNCH.enclave,
        ownerKeySha256: OWNER_KEY,
        mode: 'http',
        upstream: PROFILE.upstream,
        auth: 'mtls',
      },
    });
    expect(compareSidecar(stored(injected(enclavePod())), COMPARISON)).toMatchObject({
      value: { enclave: 'shop.web' },
    });
  });

  test.each<[string, (sidecar: Container) => object, string]>([
    ['another image', () => ({ image: APP_IMAGE }), 'sidecar-differs'],
    ['a command', () => ({ command: ['sh'] }), 'sidecar-differs'],
    ['an argument', () => ({ args: ['--owner-key=x'] }), 'sidecar-differs'],
    [
      'another variable',
      (s) => ({ env: [...(s.env ?? []), { name: 'NODE_OPTIONS', value: '-r x' }] }),
      'sidecar-differs',
    ],
    ['a variable less', (s) => ({ env: s.env?.slice(1) }), 'sidecar-differs'],
    ['variables from elsewhere', () => ({ envFrom: [{ configMapRef: { name: 'x' } }] }), 'sidecar-differs'],
    ['a root user', () => ({ securityContext: { runAsUser: 0 } }), 'sidecar-differs'],
    ['no restart', () => ({ restartPolicy: undefined }), 'sidecar-differs'],
    ['a hook', () => ({ lifecycle: { postStart: { exec: { command: ['sh'] } } } }), 'sidecar-differs'],
    ['no probe', () => ({ startupProbe: undefined }), 'sidecar-differs'],
    [
      'another mount',
      (s) => ({ volumeMounts: [...(s.volumeMounts ?? []), { name: 'v', mountPath: '/lib' }] }),
      'sidecar-differs',
    ],
    [
      'a mount that only looks like the kubelet’s',
      (s) => ({ volumeMounts: [...(s.volumeMounts ?? []), { ...API_ACCESS_MOUNT, mountPath: '/lib' }] }),
      'sidecar-differs',
    ],
    [
      'memory out of bounds',
      () => ({ resources: { requests: { cpu: '1', memory: '1Mi' }, limits: { memory: '1Mi' } } }),
      'sidecar-differs',
    ],
    [
      'a claim to a device',
      (s) => ({ resources: { ...s.resources, claims: [{ name: 'gpu' }] } }),
      'sidecar-differs',
    ],
    [
      'all that the container runtime hides',
      (s) => ({ securityContext: { ...s.securityContext, procMount: 'Unmasked' } }),
      'sidecar-differs',
    ],
    [
      'a list that is longer by nothing',
      (s) => ({ securityContext: { ...s.securityContext, capabilities: { drop: ['ALL', null] } } }),
      'sidecar-differs',
    ],
    ['an image that must be there', () => ({ imagePullPolicy: 'Never' }), 'sidecar-differs'],
    [
      'half of one template and half of another',
      () => ({ terminationMessagePolicy: 'File', readinessProbe: undefined }),
      'sidecar-differs',
    ],
    [
      'another owner under the same enclave, malformed',
      (s) => ({
        env: s.env?.map((each) => (each.name.endsWith('OWNER_KEY') ? { ...each, value: 'x' } : each)),
      }),
      'annotation-invalid',
    ],
    [
      'another enclave',
      (s) => ({
        env: s.env?.map((each) => (each.name.endsWith('_ENCLAVE') ? { ...each, value: 'evictim' } : each)),
      }),
      'sidecar-differs',
    ],
    [
      'other roots',
      (s) => ({
        env: s.env?.map((each) => (each.name.endsWith('_ROOTS') ? { ...each, value: '{}' } : each)),
      }),
      'roots-unknown',
    ],
  ])('refuses %s', (_, change, code) => {
    const pod = stored(injected(enclavePod()));
    const [sidecar, ...rest] = pod.spec?.initContainers ?? [];
    if (sidecar === undefined) throw new Error('no sidecar');
    const changed = {
      ...pod,
      spec: { ...pod.spec, initContainers: [{ ...sidecar, ...change(sidecar) }, ...rest] },
    };
    expect(compareSidecar(changed, COMPARISON)).toMatchObject({ ok: false, code });
  });

  test.each(TEMPLATES)(
    'takes what template $version injects, this release’s and its predecessor’s',
    (template) => {
      const pod = stored(injected(enclavePod()));
      const [sidecar, ...rest] = pod.spec?.initContainers ?? [];
      const read = readSidecar(pod);
      if (!read.ok || sidecar === undefined) throw new Error('no sidecar');
      const made = template.container({
        image: SIDECAR_IMAGE,
        settings: read.value,
        resources: { cpu: '20m', memory: '128Mi' },
        socket: undefined,
      });
      const older = stored({
        ...pod,
        spec: { ...pod.spec, initContainers: [made, ...rest], volumes: [template.volume] },
      });
      expect(compareSidecar(older, COMPARISON)).toMatchObject({ ok: true, value: { enclave: 'shop.web' } });
      // The webhook knows one: the newest.
      expect(decide(older, 'shop', CONFIG)).toMatchObject(
        template === TEMPLATES[0] ? { patch: [] } : { code: 'name-reserved' },
      );
    },
  );

  test('takes the sidecars of both releases as they are written down, not as they are made', () => {
    const golden = goldenPods().filter(({ name }) =>
      /^(reviewed-again|refused-sidecar-of-predecessor)$/.test(name),
    );
    expect(golden.map(({ pod }) => compareSidecar(pod, COMPARISON).ok)).toEqual([true, true]);
    expect(TEMPLATES.map(({ version }) => version)).toEqual([3, 2]);
  });

  test('takes what the API server’s own admission writes into it', () => {
    const pod = stored(injected(enclavePod()));
    const [sidecar, ...rest] = pod.spec?.initContainers ?? [];
    if (sidecar === undefined) throw new Error('no sidecar');
    // AlwaysPullImages, the defaults of an older Kubernetes, a LimitRange.
    const completed = {
      ...sidecar,
      imagePullPolicy: 'Always',
      securityContext: { ...sidecar.securityContext, procMount: 'Default' },
      resources: {
        requests: { ...sidecar.resources?.requests, 'ephemeral-storage': '1Gi' },
        limits: { ...sidecar.resources?.limits, cpu: '1' },
      },
    };
    const seen = { ...pod, spec: { ...pod.spec, initContainers: [completed, ...rest] } };
    expect(compareSidecar(seen, COMPARISON).ok).toBe(true);
    expect(decide(seen, 'shop', CONFIG)).toMatchObject({ ok: true, patch: [] });
  });

  test('refuses what is labelled otherwise, or was injected by another release', () => {
    const pod = stored(injected(enclavePod()));
    const labelled = (labels: Record<string, string>) => ({ ...pod, metadata: { ...pod.metadata, labels } });
    expect(compareSidecar(labelled({}), COMPARISON)).toMatchObject({ code: 'sidecar-missing' });
    expect(compareSidecar(labelled({ [INJECT_LABEL]: 'no' }), COMPARISON)).toMatchObject({
      code: 'label-invalid',
    });
    expect(compareSidecar(pod, { ...COMPARISON, enclaveDomain: 'other' })).toMatchObject({
      code: 'sidecar-differs',
    });
  });

  test('refuses a sidecar that is told anything else than the annotations ask for', () => {
    const pod = stored(injected(enclavePod()));
    const annotated = (more: Record<string, string>) => ({
      ...pod,
      metadata: { ...pod.metadata, annotations: { ...pod.metadata?.annotations, ...more } },
    });
    expect(compareSidecar(annotated({ [ANNOTATIONS.mode]: 'http' }), COMPARISON)).toMatchObject({
      code: 'sidecar-differs',
      message: expect.stringContaining('mode'),
    });
    expect(compareSidecar(annotated({ [ANNOTATIONS.mode]: 'udp' }), COMPARISON)).toMatchObject({
      code: 'annotation-invalid',
    });
    const socket = stored(injected(launchedPod(profile(), LAUNCH)));
    const elsewhere = {
      ...socket,
      spec: { ...socket.spec, containers: [{ name: 'app', image: APP_IMAGE }] },
    };
    expect(compareSidecar(elsewhere, COMPARISON)).toMatchObject({ code: 'volume-missing' });
  });

  test('refuses a bare pod, a second place, an empty list of images, a changed token volume', () => {
    const pod = stored(injected(enclavePod()));
    const spec = pod.spec ?? {};
    expect(compareSidecar(stored(enclavePod()), COMPARISON)).toMatchObject({ code: 'sidecar-missing' });
    expect(compareSidecar(pod, { ...COMPARISON, sidecarImages: [] })).toMatchObject({
      code: 'sidecar-differs',
    });
    const late = [{ name: 'i', image: APP_IMAGE }, ...(spec.initContainers ?? [])];
    expect(compareSidecar({ ...pod, spec: { ...spec, initContainers: late } }, COMPARISON)).toMatchObject({
      ok: false,
    });
    const [sidecar] = spec.initContainers ?? [];
    const twice = [...(spec.initContainers ?? []), ...(sidecar ? [{ ...sidecar, command: ['sh'] }] : [])];
    expect(compareSidecar({ ...pod, spec: { ...spec, initContainers: twice } }, COMPARISON)).toMatchObject({
      code: 'name-reserved',
    });
    const volumes = spec.volumes?.map((each) =>
      each.name.startsWith('enclave-') ? { name: each.name, emptyDir: {} } : each,
    );
    expect(compareSidecar({ ...pod, spec: { ...spec, volumes } }, COMPARISON)).toMatchObject({
      code: 'sidecar-differs',
    });
  });
});
