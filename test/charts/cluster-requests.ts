/** Requests about other objects than pods that the admission policies judge. */
import { toBase64 } from '../../formats/bytes/base64.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import {
  CSR_ANNOTATIONS,
  ENCLAVE_LABEL,
  INJECT_LABEL,
  LABEL_PREFIX,
  RETIRED_KEYS_ANNOTATION,
} from '../../names/labels.ts';
import { SIGNERS } from '../../names/signers.ts';
import { AGENT_AUDIENCE } from '../../names/wire.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { type Attempt, type Caller, type Members, NODE } from './attempt.ts';

export const DRY = '?dryRun=All';
export const post = (what: string, as: Caller, path: string, body: unknown): Attempt => ({
  what,
  as,
  method: 'post',
  path,
  body,
});

const { spki, sign, scheme } = generateKey();
const der = buildCertificateRequest({ spki }, sign, scheme);
const request = toBase64(new TextEncoder().encode(encodePem('CERTIFICATE REQUEST', der)));
const REQUESTS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const csr = (signerName: string, metadata: Members = {}): Members => ({
  metadata: { name: 'attempt', ...metadata },
  spec: { signerName, request, usages: ['digital signature', 'client auth'] },
});
const about = { [CSR_ANNOTATIONS.enclave]: 'eabc', [CSR_ANNOTATIONS.user]: 'alice' };
const ask = (what: string, as: Caller, body: unknown): Attempt => post(what, as, `${REQUESTS}${DRY}`, body);
const edit = (what: string, metadata: Members, as: Caller = 'admin', rest = ''): Attempt => ({
  what,
  as,
  method: 'merge',
  path: `${REQUESTS}/alice${rest}${DRY}`,
  body: { metadata },
});

/** `alice`: the launcher's request for a user's certificate, of which the attempts speak. */
export const USER_REQUEST = post(
  'the launcher asks for a user',
  'launcher',
  REQUESTS,
  csr(SIGNERS.users, { name: 'alice', annotations: about }),
);

const driver = (audience: string): Members => ({
  metadata: { name: 'csi.example.org' },
  spec: { tokenRequests: [{ audience: 'vault' }, { audience }] },
});
const DRIVERS = `/apis/storage.k8s.io/v1/csidrivers${DRY}`;

const policies = (namespace: string): string =>
  `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies${DRY}`;
const opening = (ports: Members | undefined, podSelector: Members = {}): Members => ({
  metadata: { name: 'attempt' },
  spec: {
    podSelector,
    ingress: [{ ports: [{ port: 8443 }] }, ports === undefined ? {} : { ports: [ports] }],
  },
});
const none = (...keys: readonly string[]): Members => ({
  matchExpressions: keys.map((key) => ({ key, operator: 'DoesNotExist' })),
});
const open = (what: string, body: unknown, namespace = 'shop', as: Caller = 'admin'): Attempt =>
  post(what, as, policies(namespace), body);

const NAME = 'enclave-licensing-launched';
const closing: Members = {
  metadata: { name: NAME, labels: { [`${LABEL_PREFIX}managed-by`]: 'enclave-webhook' } },
  spec: {
    podSelector: { matchExpressions: [{ key: ENCLAVE_LABEL, operator: 'Exists' }] },
    policyTypes: ['Ingress'],
    ingress: [{ ports: [{ port: 8443 }, { port: 9464 }] }],
  },
};
/** Somebody's own beside it. */
export const OTHER_POLICY = post(
  'somebody closes all',
  'admin',
  '/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies',
  { metadata: { name: 'theirs' }, spec: { podSelector: {}, policyTypes: ['Ingress'] } },
);
const ofWebhook = (
  what: string,
  method: 'merge' | 'delete',
  body?: unknown,
  as: Caller = 'admin',
): Attempt => ({
  what,
  as,
  method,
  path: policies('shop').replace('?', `/${NAME}?`),
  body,
});

/** The webhook's own in `shop`. */
export const KEPT_POLICY = post(
  'the webhook closes enclaves',
  'webhook',
  '/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies',
  closing,
);

export const NODES = '/apis/enclave-licensing.dev/v1alpha1/attestednodes';
const attested = (name: string): Members => ({
  apiVersion: 'enclave-licensing.dev/v1alpha1',
  kind: 'AttestedNode',
  metadata: { name },
  spec: { node: name, ekSha256: 'ab'.repeat(32), tpmTrust: 'emulated' },
});
const keys = {
  status: {
    attestationKeys: [{ spkiSha256: 'ab'.repeat(32), serial: '1', notAfter: '2040-01-01T00:00:00Z' }],
  },
};
const ofNode = (what: string, as: Caller, rest: string, body: unknown): Attempt => ({
  what,
  as,
  method: 'merge',
  path: `${NODES}/n1${rest}${DRY}`,
  body,
});

/** `n1` as the certificate service makes it. */
export const ATTESTED_NODE = post('a node enrols', 'certs', NODES, attested('n1'));

const kubelet = (method: 'get' | 'post', path: string): Attempt => ({
  what: `${method} ${path}`,
  as: 'admin',
  method,
  path: `/api/v1/nodes/${NODE}/proxy/${path}`,
});
/** What a monitor reads of a node, which has no kubelet here: no policy stands before it. */
export const READ_OF_KUBELET = ['', 'metrics', 'metrics/cadvisor', 'stats/summary', 'pods', 'healthz'].map(
  (path) => kubelet('get', path),
);

export const REFUSED_OF_CLUSTER: Readonly<Record<string, readonly Attempt[]>> = {
  'csi-drivers': [post('a driver with our audience', 'admin', DRIVERS, driver(AGENT_AUDIENCE))],
  requests: [
    ask('a user’s certificate, by an administrator', 'admin', csr(SIGNERS.users)),
    ask(
      'a user’s certificate, by the agent',
      'agent',
      csr(SIGNERS.users, { annotations: { [CSR_ANNOTATIONS.user]: 'eve' } }),
    ),
    ask(
      'our annotation on another signer’s, by a person',
      'admin',
      csr('example.org/any', { annotations: about }),
    ),
    ask('our label, by the launcher', 'launcher', csr('example.org/any', { labels: about })),
    ask(
      'a grant, by the agent',
      'agent',
      csr(SIGNERS.enclaves, { annotations: { [CSR_ANNOTATIONS.grant]: 'e30=' } }),
    ),
    ask(
      'an enclave’s certificate, under the name that its launch looks for',
      'admin',
      csr(SIGNERS.enclaves, { name: 'enclave-0b0b0b0b-1' }),
    ),
    ask('an enclave’s certificate, by the launcher', 'launcher', csr(SIGNERS.enclaves)),
    edit('the user changed', { annotations: { [CSR_ANNOTATIONS.user]: 'eve' } }),
    edit(
      'the enclave changed by the launcher',
      { annotations: { [CSR_ANNOTATIONS.enclave]: 'x' } },
      'launcher',
    ),
    edit('a grant added by status', { annotations: { [CSR_ANNOTATIONS.grant]: 'e30=' } }, 'admin', '/status'),
    edit(
      'the user removed by approval',
      { annotations: { [CSR_ANNOTATIONS.user]: null } },
      'admin',
      '/approval',
    ),
    edit('a label added', { labels: { [`${LABEL_PREFIX}x`]: 'y' } }),
  ],
  'network-policies': [
    open('every port', opening(undefined)),
    open('the app’s port', opening({ port: 8080 })),
    open('the app’s port by name', opening({ port: 'http' })),
    open('a range that begins at 8443', opening({ port: 8443, endPort: 9464 })),
    open('UDP', opening({ port: 8443, protocol: 'UDP' })),
    open('any port of TCP', opening({ protocol: 'TCP' })),
    open('a name of the webhook’s', {
      ...closing,
      metadata: { name: 'enclave-licensing-self-deployed' },
    }),
    ofWebhook('the webhook’s opened', 'merge', { spec: { ingress: [{}] } }),
    ofWebhook('the webhook’s closed altogether', 'merge', { spec: { ingress: [] } }),
    ofWebhook('the webhook’s, as somebody else’s', 'merge', {
      metadata: { labels: { [`${LABEL_PREFIX}managed-by`]: null } },
    }),
    ofWebhook('the webhook’s deleted', 'delete'),
    open('launched enclaves alone', opening(undefined, none(INJECT_LABEL))),
    open('self-deployed enclaves alone', opening(undefined, none(ENCLAVE_LABEL))),
    open(
      'an enclave by its id',
      opening(undefined, {
        matchExpressions: [
          { key: INJECT_LABEL, operator: 'DoesNotExist' },
          { key: ENCLAVE_LABEL, operator: 'In', values: ['eabc'] },
        ],
      }),
    ),
  ],
  kubelets: [
    kubelet('get', 'exec/shop/web/app?command=id&output=1'),
    kubelet('post', 'run/shop/web/app?cmd=id'),
    kubelet('get', 'attach/shop/web/app'),
    kubelet('post', 'portForward/shop/web'),
    kubelet('get', 'cri/exec/token'),
    kubelet('post', 'checkpoint/shop/web/app'),
    kubelet('get', '/exec/shop/web/app'),
    kubelet('get', 'metrics%2f..%2fexec/shop/web/app'),
    kubelet('get', 'metrics/%2e%2e/exec/shop/web/app'),
  ],
  'attested-nodes': [
    post('a node by a person', 'admin', `${NODES}${DRY}`, attested('n2')),
    post('a node by its agent', 'agent', `${NODES}${DRY}`, attested('n2')),
    ofNode('its keys by a person', 'admin', '/status', keys),
  ],
};

/** What a cluster does all day, beside those. */
export const TAKEN_OF_CLUSTER: readonly Attempt[] = [
  post('a driver with audiences of its own', 'admin', DRIVERS, driver('other')),
  ask('anybody’s request', 'admin', csr('example.org/any', { labels: { app: 'x' } })),
  ask('an agent’s request', 'agent', csr(SIGNERS.enclaves)),
  { ...edit('a label of others', { labels: { app: 'x' } }) },
  {
    ...edit('the certificate service approves', {}, 'certs', '/approval'),
    body: {
      status: {
        conditions: [{ type: 'Approved', status: 'True', reason: 'Evaluated', message: 'it is theirs' }],
      },
    },
  },
  open('pods that are no enclaves', opening(undefined, none(ENCLAVE_LABEL, INJECT_LABEL))),
  open('the sidecar’s ports', opening({ port: 'enclave-health' })),
  open('nothing', { metadata: { name: 'attempt' }, spec: { podSelector: {}, policyTypes: ['Ingress'] } }),
  open('what goes out', {
    metadata: { name: 'attempt' },
    spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{}] },
  }),
  open('a namespace without label', opening(undefined), 'plain'),
  open('the webhook’s own', opening(undefined), 'shop', 'webhook'),
  ofNode('the certificate service writes keys', 'certs', '/status', keys),
  ofNode('an operator retires a key', 'admin', '', {
    metadata: { annotations: { [RETIRED_KEYS_ANNOTATION]: 'ab'.repeat(32) } },
  }),
  { what: 'an operator removes a node', as: 'admin', method: 'delete', path: `${NODES}/n1${DRY}` },
  {
    ...ofWebhook('somebody changes their own', 'merge', {
      spec: { podSelector: { matchLabels: { a: 'b' } } },
    }),
    path: policies('shop').replace('?', '/theirs?'),
  },
  { ...ofWebhook('somebody deletes their own', 'delete'), path: policies('shop').replace('?', '/theirs?') },
  ofWebhook('what a network plugin writes on it', 'merge', { metadata: { finalizers: ['example.org/x'] } }),
  ofWebhook('the webhook changes its own', 'merge', { spec: { ingress: [{}] } }, 'webhook'),
  ofWebhook('the webhook deletes its own', 'delete', undefined, 'webhook'),
];
