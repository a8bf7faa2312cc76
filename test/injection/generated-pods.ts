/** Pods that nobody would write, and that an API server would hand to the webhook all the same (fast-check). */
import fc from 'fast-check';
import type { Pod } from '../../injection/pod.ts';
import { ANNOTATIONS, ENCLAVE_LABEL, INJECT_LABEL } from '../../names/labels.ts';
import { OWNER_KEY } from './support.ts';

type Arbitrary = fc.Arbitrary<unknown>;

/** A member that may be there, be null, or be missing. */
const maybe = (value: Arbitrary): Arbitrary =>
  fc.oneof({ weight: 3, arbitrary: value }, fc.constantFrom(null, undefined));
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom('', '~', '/', '~1', 'a/b~c'),
);
/** Keys that JSON Pointer escapes, that JavaScript gives a meaning, and any other. */
const key = fc.oneof(text, fc.constantFrom('constructor', 'toString', 'hasOwnProperty', 'length', '0', '-'));
const unknown = fc.dictionary(
  key.map((name) => `x${name}`),
  fc.jsonValue({ maxDepth: 2 }),
  { maxKeys: 2 },
);
const lists = (item: Arbitrary, maxLength = 3): Arbitrary => maybe(fc.array(item, { maxLength }));
const image = fc
  .tuple(
    fc.stringMatching(/^[a-z][a-z0-9]{0,8}(\/[a-z]{1,6})?(:[a-z0-9.]{1,5})?$/),
    fc.integer({ min: 0, max: 15 }),
  )
  .map(([name, digit]) => `${name}@sha256:${digit.toString(16).repeat(64)}`);
const port = fc.integer({ min: 1, max: 8000 });
const quantity = fc.constantFrom('1', '100m', '64Mi', '1.5Gi');
const resources = fc.record(
  {
    requests: maybe(fc.dictionary(fc.constantFrom('cpu', 'memory'), quantity)),
    limits: maybe(fc.constant({})),
  },
  { requiredKeys: [] },
);
const variable = fc.oneof(
  fc.record({ name: text.map((name) => `V${name}`), value: text }),
  fc.record({ name: fc.constant('IP'), valueFrom: fc.constant({ fieldRef: { fieldPath: 'status.podIP' } }) }),
);
const probe = fc.oneof(
  fc.record({
    httpGet: fc.record({ path: text, port: fc.oneof(port, fc.constant('web')) }),
    periodSeconds: port,
  }),
  fc.record({ exec: fc.record({ command: fc.array(text, { maxLength: 2 }) }) }),
  fc.record({ tcpSocket: fc.record({ port }) }),
);
const UNPRIVILEGED = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
/** Complete, so that a pod may keep the standard without a word for all its containers. */
const RESTRICTED = { ...UNPRIVILEGED, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
const looseContext = maybe(
  fc.record(
    {
      runAsUser: fc.integer({ min: 0, max: 9999 }),
      privileged: fc.constant(false),
      procMount: fc.constantFrom(null, 'Default'),
      capabilities: fc.constantFrom(null, { add: ['NET_ADMIN'] }, { drop: ['ALL'], add: null }),
    },
    { requiredKeys: [] },
  ),
);

const container = (restricted: boolean, name: string): Arbitrary =>
  fc
    .tuple(
      fc.record({ name: fc.constant(name), image }),
      fc.record(
        {
          command: lists(text),
          args: lists(text),
          env: lists(variable),
          ports: lists(fc.record({ containerPort: port, protocol: fc.constantFrom('TCP', 'UDP') })),
          resources: maybe(resources),
          livenessProbe: maybe(probe),
          startupProbe: maybe(probe),
          lifecycle: maybe(fc.constant({ preStop: { sleep: { seconds: 1 } } })),
          volumeMounts: lists(
            fc.record({ name: fc.constantFrom('v0', 'v1'), mountPath: text.map((path) => `/m/${path}`) }),
          ),
          volumeDevices: lists(fc.record({ name: fc.constant('v2'), devicePath: fc.constant('/dev/x') })),
          tty: maybe(fc.boolean()),
          securityContext: restricted ? fc.constant(RESTRICTED) : looseContext,
        },
        { requiredKeys: restricted ? ['securityContext'] : [] },
      ),
      unknown,
    )
    .map(([named, known, others]) => ({ ...others, ...(known as object), ...named }));

const containers = (restricted: boolean, prefix: string, minLength: number): fc.Arbitrary<unknown[]> =>
  fc
    .integer({ min: minLength, max: 3 })
    .chain((length) =>
      fc.tuple(...Array.from({ length }, (_, n) => container(restricted, `${prefix}-${n}`))),
    );

const source = fc.constantFrom(
  { emptyDir: {} },
  { emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
  { configMap: { name: 'c', optional: true } },
  { secret: { secretName: 's', items: null } },
  { persistentVolumeClaim: { claimName: 'p' } },
  { projected: { sources: [{ serviceAccountToken: { audience: 'vault', path: 't' } }] } },
  { projected: { sources: null } },
  { downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] } },
  { hostPath: null, flexVolume: null, gitRepo: null, emptyDir: {} },
);
const volumes = fc
  .array(source, { maxLength: 3 })
  .map((sources) => sources.map((each, n) => ({ name: `v${n}`, ...each })));

const spec = (restricted: boolean): fc.Arbitrary<object> =>
  fc
    .tuple(
      fc.record({ containers: containers(restricted, 'app', 1) }),
      fc.record(
        {
          initContainers: maybe(fc.oneof(fc.constant([]), containers(restricted, 'init', 1))),
          volumes: maybe(volumes),
          ephemeralContainers: fc.constantFrom(null, []),
          serviceAccountName: fc.constantFrom('', 'web', 'a.b'),
          restartPolicy: fc.constantFrom('Always', 'OnFailure', 'Never'),
          hostNetwork: fc.constantFrom(null, false),
          shareProcessNamespace: fc.constantFrom(null, false),
          hostUsers: fc.boolean(),
          os: fc.constantFrom(null, { name: 'linux' }),
          nodeSelector: maybe(fc.dictionary(key, text, { maxKeys: 2 })),
          tolerations: lists(fc.constant({ operator: 'Exists' })),
          terminationGracePeriodSeconds: fc.nat(),
        },
        { requiredKeys: [] },
      ),
      restricted
        ? fc.constantFrom(null, undefined, {}, UNPRIVILEGED)
        : fc.constantFrom(null, undefined, {}, { fsGroup: 1, runAsNonRoot: true }),
      unknown,
    )
    .map(([required, known, securityContext, others]) => ({
      ...others,
      ...known,
      ...required,
      securityContext,
    }));

const annotations = fc
  .tuple(
    fc.dictionary(key, text, { maxKeys: 3 }),
    fc.record(
      {
        [ANNOTATIONS.mode]: fc.constantFrom('tcp', 'http'),
        [ANNOTATIONS.keyType]: fc.constantFrom('p256', 'p384'),
        [ANNOTATIONS.sidecarMemory]: fc.constantFrom('64Mi', '4Gi'),
        [`${ANNOTATIONS.mode}l`]: text,
        'enclave-licensing.dev/injected': text,
      },
      { requiredKeys: [] },
    ),
  )
  .map(([others, ours]) => ({
    ...others,
    ...ours,
    [ANNOTATIONS.upstream]: 'pod:8080',
    [ANNOTATIONS.ownerKey]: OWNER_KEY,
  }));

const metadata = fc
  .tuple(
    fc.dictionary(key, text, { maxKeys: 3 }),
    fc.constantFrom({ [INJECT_LABEL]: 'enabled' }, { [ENCLAVE_LABEL]: 'eabcdefghijklmno' }),
    annotations,
    fc.record(
      {
        name: text,
        generateName: text,
        finalizers: lists(text),
        ownerReferences: fc.constantFrom(null, []),
        creationTimestamp: fc.constant(null),
      },
      { requiredKeys: [] },
    ),
    unknown,
  )
  .map(([labels, label, annotated, known, others]) => ({
    ...others,
    ...known,
    labels: { ...labels, ...label },
    annotations: annotated,
  }));

/** A pod that injection takes; `restricted` ones keep that standard. As it comes out of JSON. */
export const generatedPods = (restricted: boolean): fc.Arbitrary<Pod> =>
  fc.tuple(metadata, spec(restricted), unknown).map(([meta, podSpec, others]) => {
    const pod = { ...others, apiVersion: 'v1', kind: 'Pod', metadata: meta, spec: podSpec };
    return JSON.parse(JSON.stringify(pod)) as Pod;
  });
