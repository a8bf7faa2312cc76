import type { AgentCode } from '../../agent/code.ts';
import type { EnclaveBinding } from '../../formats/x509/bindings.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import type { Callers } from './callers.ts';
import { enclaveCertificate, issuerIn, type SigningIssuer } from './enclave-certificate.ts';
import type { SidecarCalls } from './sidecar-calls.ts';

export interface Shown {
  readonly chain: Uint8Array[];
  readonly request: Uint8Array;
}

/** What a pod can show that is nearly its own. */
export interface Certificates {
  /** What the certificate service gave the victim, and its key. */
  readonly own: Shown & Pick<SidecarCalls, 'key'>;
  readonly others: Shown;
  readonly otherUid: string;
  readonly issuers: { readonly enclaves: SigningIssuer; readonly users: SigningIssuer };
  /** The victim's certificate with something in it changed, signed again. */
  like(change: Change): Uint8Array[];
}

export interface Change {
  readonly binding?: Partial<EnclaveBinding>;
  readonly spki?: Uint8Array;
  readonly issuer?: SigningIssuer;
  /** Seconds from now. */
  readonly ends?: number;
}

export async function obtainCertificates({ world, victim, other, from }: Callers): Promise<Certificates> {
  const calls = from(victim.address, victim.token);
  const own = { key: calls.key, ...(await calls.credential()) };
  const others = await from(other.address, other.token).credential();
  const parsed = parseCertificate(own.chain[0] ?? new Uint8Array());
  if (!parsed.ok) throw new Error(parsed.message);
  const { enclaveBinding, subjectAltName } = parsed.value.extensions;
  if (enclaveBinding === undefined || subjectAltName === undefined)
    throw new Error('no certificate of an enclave');
  const issuers = {
    enclaves: await issuerIn(world.kube, 'enclaves'),
    users: await issuerIn(world.kube, 'users'),
  };
  return {
    own,
    others,
    otherUid: other.uid,
    issuers,
    like: ({ binding, spki = own.key.spki, issuer = issuers.enclaves, ends = 600 }) => [
      enclaveCertificate(issuer, {
        spki,
        subjectAltName,
        enclaveBinding: { ...enclaveBinding, ...binding },
        notAfter: Math.floor(Date.now() / 1000) + ends,
      }),
    ],
  };
}

export interface CertificateCase {
  readonly name: string;
  readonly code: AgentCode;
  readonly says: RegExp;
  show(certificates: Certificates): Shown;
}

const POD = { code: 'certificate-pod', says: /for another pod, enclave, node or owner/ } as const;
const KEY = { code: 'certificate-key', says: /different keys/ } as const;
const ISSUER = { code: 'certificate-issuer' } as const;

export const CERTIFICATE_CASES: readonly CertificateCase[] = [
  { name: 'another pod’s, with its request', ...POD, show: ({ others }) => others },
  {
    name: 'one for another pod’s UID',
    ...POD,
    show: ({ own, like, otherUid }) => ({ ...own, chain: like({ binding: { podUid: otherUid } }) }),
  },
  {
    name: 'one for another enclave',
    ...POD,
    show: ({ own, like }) => ({ ...own, chain: like({ binding: { enclave: 'other' } }) }),
  },
  {
    name: 'one for another node',
    ...POD,
    show: ({ own, like }) => ({ ...own, chain: like({ binding: { node: 'elsewhere' } }) }),
  },
  {
    name: 'one for another owner',
    ...POD,
    show: ({ own, like }) => ({ ...own, chain: like({ binding: { ownerKeySha256: 'cd'.repeat(32) } }) }),
  },
  {
    name: 'one of an issuer that has only the name of ours',
    ...ISSUER,
    says: /chain-signature/,
    show: ({ own, like, issuers }) => ({
      ...own,
      chain: like({ issuer: { ...issuers.enclaves, key: generateKey() } }),
    }),
  },
  {
    name: 'one that our issuer of users signed',
    ...ISSUER,
    says: /chain-untrusted/,
    show: ({ own, like, issuers }) => ({ ...own, chain: like({ issuer: issuers.users }) }),
  },
  {
    name: 'one that has ended',
    code: 'certificate-ended',
    says: /chain-expired/,
    show: ({ own, like }) => ({ ...own, chain: like({ ends: -30 }) }),
  },
  {
    name: 'one over a key that this pod never proved',
    ...KEY,
    show: ({ own, like }) => ({ ...own, chain: like({ spki: generateKey().spki }) }),
  },
  {
    name: 'its own, with the request of another key',
    ...KEY,
    show: ({ own, others }) => ({ ...own, request: others.request }),
  },
  {
    name: 'one over another key, in a request that this key did not sign',
    code: 'certificate-key',
    says: /signature does not verify/,
    show: ({ own, like }) => {
      const { spki } = generateKey();
      const request = buildCertificateRequest({ spki }, own.key.sign, own.key.scheme);
      return { chain: like({ spki }), request };
    },
  },
  {
    name: 'its own, without a request',
    code: 'request-malformed',
    says: /certificate and request go together/,
    show: ({ own }) => ({ ...own, request: new Uint8Array(0) }),
  },
];
