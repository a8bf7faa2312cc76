/** Requests that the admission policies judge: what each of them refuses, and what a cluster does all day. */
import { injectedPod } from '../../injection/spec-sha256.ts';
import {
  ANNOTATIONS,
  ENCLAVE_LABEL,
  INJECT_LABEL,
  LABEL_PREFIX,
  LAUNCHED as LAUNCHED_BY,
  MANAGED_BY_LABEL,
} from '../../names/labels.ts';
import { SIDECAR_CONTAINER, TOKEN_VOLUME } from '../../names/sidecar.ts';
import { AGENT_AUDIENCE } from '../../names/wire.ts';
import { APP_IMAGE, CONFIG, enclavePod } from '../injection/support.ts';
import { type Attempt, type Caller, type Members, NODE } from './attempt.ts';
import { REFUSED_OF_CLUSTER } from './cluster-requests.ts';

interface LoosePod {
  readonly metadata?: Members;
  readonly spec: Members & { readonly containers: readonly Members[] };
}

/** A self-deployed enclave as the webhook leaves it. */
export function enclave(name: string, metadata: Members = {}): LoosePod {
  const made = injectedPod(enclavePod(), CONFIG);
  if (!made.ok) throw new Error(made.message);
  return JSON.parse(
    JSON.stringify({ ...made.value, metadata: { ...made.value.metadata, name, ...metadata } }),
  ) as LoosePod;
}

/** A pod that is none, and need not be pinned. */
export function bare(name: string, metadata: Members = {}, spec: Members = {}): LoosePod {
  return {
    metadata: { name, ...metadata },
    spec: { containers: [{ name: 'app', image: 'app:1' }], ...spec },
  };
}

export const pods = (namespace: string, rest = ''): string => `/api/v1/namespaces/${namespace}/pods${rest}`;
const create = (what: string, body: unknown, namespace = 'shop', as: Caller = 'admin'): Attempt => ({
  what,
  as,
  method: 'post',
  path: pods(namespace, '?dryRun=All'),
  body,
});
const change = (
  what: string,
  rest: string,
  body: unknown,
  method: Attempt['method'] = 'strategic-merge',
): Attempt => ({
  what,
  as: 'admin',
  method,
  path: pods('shop', `${rest}?dryRun=All`),
  body,
});
const withSpec = (more: Members): LoosePod => {
  const pod = enclave('attempt');
  return { ...pod, spec: { ...pod.spec, ...more } };
};
const withApp = (more: Members): LoosePod =>
  withSpec({ containers: [{ name: 'app', image: APP_IMAGE, ...more }] });
const sidecar = (): Members => (enclave('x').spec['initContainers'] as Members[])[0] ?? {};
const volumes = (...more: Members[]): Members[] => [...(enclave('x').spec['volumes'] as Members[]), ...more];
const init = (more: Members): LoosePod =>
  withSpec({ initContainers: [sidecar(), { name: 'migrate', image: APP_IMAGE, ...more }] });
const ourToken = (name: string): Members => ({
  name,
  projected: { sources: [{ serviceAccountToken: { audience: AGENT_AUDIENCE, path: 'token' } }] },
});
const mine = { [INJECT_LABEL]: 'enabled' };
const found = { [MANAGED_BY_LABEL]: LAUNCHED_BY };
const launched = (more: Members = {}, name = 'attempt'): LoosePod => {
  const { annotations } = enclave('x').metadata ?? {};
  return enclave(name, { labels: { [ENCLAVE_LABEL]: 'eabc', ...more }, annotations });
};
const mounted = (more: Members = {}): Members => ({
  volumeMounts: [{ name: TOKEN_VOLUME, mountPath: '/t', ...more }],
});
const binding = (metadata: Members): Members => ({
  metadata: { name: 'waiting', ...metadata },
  target: { kind: 'Node', name: NODE },
});
const tokenOf = (what: string, as: Caller, spec: Members = {}): Attempt => ({
  what,
  as,
  method: 'post',
  path: '/api/v1/namespaces/shop/serviceaccounts/web/token?dryRun=All',
  body: { spec: { audiences: [AGENT_AUDIENCE], ...spec } },
});
const connect = (path: string, method: Attempt['method'] = 'get'): Attempt => ({
  what: `${method} ${path}`,
  as: 'admin',
  method,
  path: `/api/v1/namespaces/shop/${path}`,
});

const address = (what: string, status: Members, as: Caller = 'admin', pod = 'web'): Attempt => ({
  ...change(what, `/${pod}/status`, { status }),
  as,
});

export const LAUNCHED = {
  ...create('launched', launched({}, 'eabc'), 'shop', 'launcher'),
  path: pods('shop'),
};

/**
 * By policy. `web` is an enclave, `other` a bare pod, `waiting` an enclave without a node and `placed` one with a node, all in `shop`;
 * `plain` has no label.
 */
export const REFUSED: Readonly<Record<string, readonly Attempt[]>> = {
  prefix: [
    create('an enclave in a namespace without label', enclave('a', { namespace: 'plain' }), 'plain'),
    create('an annotation there', bare('a', { annotations: { [ANNOTATIONS.mode]: 'tcp' } }), 'plain'),
    create('another label', enclave('a', { labels: { ...mine, [`${LABEL_PREFIX}role`]: 'x' } })),
    create('a label on a bare pod', bare('a', { labels: { [`${LABEL_PREFIX}role`]: 'x' } })),
    create('an annotation on a bare pod', bare('a', { annotations: { [ANNOTATIONS.mode]: 'tcp' } })),
    create('a launched enclave by a person', launched()),
    create('a launched enclave by a ReplicaSet', launched(), 'shop', 'replicaSets'),
    create('a bare pod that answers to an enclave’s name', bare('a', { labels: found })),
    create('an enclave that answers to another’s name', enclave('a', { labels: { ...mine, ...found } })),
    create('inject: true', enclave('a', { labels: { [INJECT_LABEL]: 'true' } })),
    create('launched and self-deployed', launched(mine), 'shop', 'launcher'),
    create('a static pod', {
      metadata: { name: 'a', labels: mine, annotations: { 'kubernetes.io/config.mirror': 'x' } },
      spec: {
        nodeName: NODE,
        initContainers: [{ ...sidecar(), volumeMounts: [] }],
        containers: [{ name: 'app', image: APP_IMAGE }],
        volumes: [{ name: TOKEN_VOLUME, emptyDir: {} }],
      },
    }),
  ],
  immutable: [
    change('inject added', '/other', { metadata: { labels: mine } }),
    change('an enclave’s name taken later', '/other', {
      metadata: { labels: found },
    }),
    change('an enclave’s name taken by status', '/web/status', {
      metadata: { labels: found },
    }),
    change('inject removed', '/web', { metadata: { labels: { [INJECT_LABEL]: null } } }),
    change('enclave added', '/web', { metadata: { labels: { [ENCLAVE_LABEL]: 'eabc' } } }),
    {
      ...change('enclave changed', '/eabc', { metadata: { labels: { [ENCLAVE_LABEL]: 'other' } } }),
      as: 'launcher',
    },
    change('annotation changed', '/web', { metadata: { annotations: { [ANNOTATIONS.ownerKey]: 'ab' } } }),
    change('annotation removed', '/web', { metadata: { annotations: { [ANNOTATIONS.ownerKey]: null } } }),
    change('annotation added by status', '/web/status', {
      metadata: { annotations: { [ANNOTATIONS.auth]: 'jwt' } },
    }),
    change('label by status', '/web/status', { metadata: { labels: { [INJECT_LABEL]: null } } }),
    ...['pods/waiting/binding', 'bindings'].flatMap((path) =>
      (['annotations', 'labels'] as const).map((kind) => ({
        ...change(
          `${kind} of ${path}`,
          '',
          binding({ [kind]: { [`${LABEL_PREFIX}owner-key`]: 'ab' } }),
          'post',
        ),
        path: `/api/v1/namespaces/shop/${path}?dryRun=All`,
      })),
    ),
  ],
  images: [
    create('an app by tag', withApp({ image: 'app:1' })),
    create('an init container by tag', init({ image: `${APP_IMAGE.split('@')[0]}:latest` })),
    create('a digest that is cut', withApp({ image: APP_IMAGE.slice(0, -1) })),
    create('a digest with more behind it', withApp({ image: `${APP_IMAGE}0` })),
    create('a name in upper case', withApp({ image: `X${APP_IMAGE}` })),
    create('a digest of another kind', withApp({ image: `app@sha512:${'a'.repeat(128)}` })),
    create(
      'an image volume by tag',
      withSpec({ volumes: volumes({ name: 'v', image: { reference: 'app:1' } }) }),
    ),
    change('another image', '/web', {
      spec: { containers: [{ name: 'app', image: `app@sha256:${'0'.repeat(64)}` }] },
    }),
    change('another sidecar', '/web', {
      spec: { initContainers: [{ name: SIDECAR_CONTAINER, image: `app@sha256:${'0'.repeat(64)}` }] },
    }),
  ],
  volumes: [
    create('the volume in the app', withApp(mounted())),
    create('by subPath', withApp(mounted({ subPath: 'token' }))),
    create('in an init container', init(mounted({ readOnly: true }))),
    create(
      'a claim of that name as a device',
      withSpec({
        initContainers: [{ ...sidecar(), volumeMounts: [] }],
        volumes: [{ name: TOKEN_VOLUME, persistentVolumeClaim: { claimName: 'c' } }],
        containers: [
          { name: 'app', image: APP_IMAGE, volumeDevices: [{ name: TOKEN_VOLUME, devicePath: '/dev/x' }] },
        ],
      }),
    ),
  ],
  audience: [
    create('a second volume', withSpec({ volumes: volumes(ourToken('mine')) })),
    create('a bare pod', bare('a', {}, { volumes: [ourToken('mine')] })),
    create('a bare pod without label', bare('a', {}, { volumes: [ourToken(TOKEN_VOLUME)] }), 'plain'),
  ],
  'token-requests': [
    tokenOf('an administrator', 'admin'),
    tokenOf('with a pod', 'admin', { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'web' } }),
    tokenOf('beside another audience', 'admin', { audiences: ['a', AGENT_AUDIENCE] }),
    tokenOf('who is only in the group', 'renamed', {
      boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'web' },
    }),
    tokenOf('who has only the name', 'ungrouped', {
      boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'web' },
    }),
  ],
  names: [
    create('no sidecar', withSpec({ initContainers: [] })),
    create(
      'the sidecar among the apps',
      withSpec({ initContainers: [], containers: [{ ...sidecar(), volumeMounts: [] }] }),
    ),
    create(
      'the sidecar second',
      withSpec({ initContainers: [{ name: 'migrate', image: APP_IMAGE }, sidecar()] }),
    ),
    create(
      'a sidecar that ends',
      withSpec({ initContainers: [{ name: SIDECAR_CONTAINER, image: APP_IMAGE, ...mounted() }] }),
    ),
    create('no token', withSpec({ initContainers: [{ ...sidecar(), volumeMounts: [] }], volumes: [] })),
    create('port 8443', withApp({ ports: [{ containerPort: 8443 }] })),
    create('port 9464', init({ ports: [{ containerPort: 9464 }] })),
    create('the port name', withApp({ ports: [{ containerPort: 80, name: 'enclave-health' }] })),
    create('a variable', withApp({ env: [{ name: 'ENCLAVE_SIDECAR_ROOTS', value: '' }] })),
    create(
      'variables by prefix',
      init({ envFrom: [{ prefix: 'ENCLAVE_SIDECAR_', configMapRef: { name: 'c' } }] }),
    ),
    create(
      'a bare pod with a sidecar',
      bare('a', {}, { initContainers: [{ name: SIDECAR_CONTAINER, image: 'a' }] }),
    ),
    create('a bare pod with the volume', bare('a', {}, { volumes: [{ name: TOKEN_VOLUME, emptyDir: {} }] })),
  ],
  isolation: [
    ...['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace'].map((field) =>
      create(field, withSpec({ [field]: true })),
    ),
    create('a hostPath', withSpec({ volumes: volumes({ name: 'v', hostPath: { path: '/' } }) })),
    create('a flexVolume', withSpec({ volumes: volumes({ name: 'v', flexVolume: { driver: 'a/b' } }) })),
    create('a gitRepo', withSpec({ volumes: volumes({ name: 'v', gitRepo: { repository: 'a' } }) })),
    create('a privileged app', withApp({ securityContext: { privileged: true } })),
    create('a privileged init container', init({ securityContext: { privileged: true } })),
    ...['ALL', 'SYS_ADMIN', 'CAP_CHOWN', 'net_raw'].map((name) =>
      create(`capability ${name}`, withApp({ securityContext: { capabilities: { add: ['CHOWN', name] } } })),
    ),
    create(
      'an unmasked /proc',
      withSpec({
        hostUsers: false,
        containers: [{ name: 'app', image: APP_IMAGE, securityContext: { procMount: 'Unmasked' } }],
      }),
    ),
    create('a hostPort', withApp({ ports: [{ containerPort: 8080, hostPort: 8080 }] })),
  ],
  'ephemeral-containers': [
    change('kubectl debug', '/web/ephemeralcontainers', {
      spec: {
        ephemeralContainers: [{ name: 'debug', image: APP_IMAGE, targetContainerName: SIDECAR_CONTAINER }],
      },
    }),
    change('kubectl debug that takes the label off', '/web/ephemeralcontainers', {
      metadata: { labels: { [INJECT_LABEL]: null } },
      spec: { ephemeralContainers: [{ name: 'debug', image: APP_IMAGE }] },
    }),
  ],
  connect: [
    connect('pods/web/exec?command=sh&stdout=true'),
    connect('pods/web/exec?command=sh&stdout=true', 'post'),
    connect('pods/web/attach?stdout=true'),
    connect('pods/web/portforward?ports=8080', 'post'),
    connect('pods/web/proxy/'),
    connect('pods/other/exec?command=sh&stdout=true'),
    connect('services/web/proxy/'),
    connect('services/web:8080/proxy/x', 'post'),
  ],
  addresses: [
    address('the address', { podIP: '10.9.9.9' }),
    address('the addresses', { podIPs: [{ ip: '10.9.9.9' }] }),
    address('the node’s address', { hostIP: '10.9.9.9' }),
    address('by who is only in the group', { podIP: '10.9.9.9' }, 'renamed'),
    address('by who has only the name', { podIP: '10.9.9.9' }, 'ungrouped', 'placed'),
    address('that it succeeded', { phase: 'Succeeded' }),
    address('that it failed, by who is only in the group', { phase: 'Failed' }, 'renamed'),
    address('that it failed, by who has only the name', { phase: 'Failed' }, 'ungrouped', 'placed'),
  ],
  ...REFUSED_OF_CLUSTER,
};
