import { X509Certificate } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { PemConverter, Pkcs10CertificateRequest } from '@peculiar/x509';
import { type Cause, causes, forbidden } from '../api-error.ts';
import { authorize } from '../authorization/authorize.ts';
import type { Call } from '../call.ts';
import { dig, type Fields, items, type KubeObject, text, texts, timestamp } from '../object.ts';
import { type KindRules, specOf } from '../rules.ts';

const USAGES = [
  ...[
    'any',
    'cert sign',
    'client auth',
    'code signing',
    'content commitment',
    'crl sign',
    'data encipherment',
  ],
  ...['decipher only', 'digital signature', 'email protection', 'encipher only', 'ipsec end system'],
  ...['ipsec tunnel', 'ipsec user', 'key agreement', 'key encipherment', 'microsoft sgc', 'netscape sgc'],
  ...['ocsp signing', 's/mime', 'server auth', 'signing', 'timestamping'],
];
const SHORTEST_SECONDS = 600;
const SIGNER_NAME =
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+\/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const APPROVAL_TYPES = ['Approved', 'Denied'];

/** CertificateSigningRequest: who asked is written by the server; spec never changes; approval and certificate each have their own subresource. */
export const CSR_RULES: KindRules = {
  prepareCreate: (call, csr) => {
    const spec = specOf(csr);
    const { username, uid, groups, extra } = call.user;
    for (const name of ['username', 'uid', 'groups', 'extra']) delete spec[name];
    Object.assign(spec, { username, groups: [...groups] });
    if (uid !== undefined) spec['uid'] = uid;
    if (Object.keys(extra).length > 0) spec['extra'] = structuredClone(extra);
    csr['status'] = {};
  },
  prepareUpdate: (_call, csr, old) => {
    csr['spec'] = old['spec'];
  },
  validate,
  validateUpdate,
  review,
  subresources: {
    approval: (body, old) => ({
      ...old,
      metadata: body.metadata,
      status: {
        ...(dig(old, 'status') as Fields),
        conditions: stamped(items(dig(body, 'status', 'conditions')), conditionsOf(old)),
      },
    }),
    status: (body, old) => ({
      ...old,
      metadata: body.metadata,
      status: {
        ...(dig(body, 'status') as Fields),
        ...(conditionsOf(body).length === 0 && conditionsOf(old).length === 0
          ? {}
          : { conditions: stamped(keptApproval(conditionsOf(body), conditionsOf(old)), conditionsOf(old)) }),
      },
    }),
  },
};

function conditionsOf(csr: KubeObject): Fields[] {
  return items(dig(csr, 'status', 'conditions'));
}

/** Approved and Denied stay as they were held, whatever /status sends for them; added or missing ones are found in validation. */
function keptApproval(conditions: readonly Fields[], held: readonly Fields[]): Fields[] {
  return conditions.map((condition) =>
    APPROVAL_TYPES.includes(text(condition['type']))
      ? (held.find((each) => each['type'] === condition['type']) ?? condition)
      : condition,
  );
}

function stamped(conditions: readonly Fields[], held: readonly Fields[]): Fields[] {
  const now = timestamp(Date.now());
  return conditions.map((condition) => {
    const before = held.find(
      (each) => each['type'] === condition['type'] && each['status'] === condition['status'],
    );
    return {
      ...condition,
      lastUpdateTime: condition['lastUpdateTime'] ?? now,
      lastTransitionTime: condition['lastTransitionTime'] ?? before?.['lastTransitionTime'] ?? now,
    };
  });
}

async function validate(csr: KubeObject): Promise<Cause[]> {
  const spec = specOf(csr);
  const found: Cause[] = [];
  const wrong = await wrongRequest(text(spec['request']));
  if (wrong !== undefined) found.push(causes.invalid('spec.request', spec['request'], wrong));
  const usages = texts(spec['usages']);
  if (usages.length === 0) found.push(causes.required('spec.usages'));
  for (const [index, usage] of usages.entries()) {
    if (!USAGES.includes(usage)) found.push(causes.notSupported(`spec.usages[${index}]`, usage, USAGES));
    if (usages.indexOf(usage) < index) found.push(causes.duplicate(`spec.usages[${index}]`, usage));
  }
  const signer = text(spec['signerName']);
  if (signer === '') found.push(causes.required('spec.signerName'));
  else if (!SIGNER_NAME.test(signer))
    found.push(
      causes.invalid(
        'spec.signerName',
        signer,
        'must be a fully qualified domain and path of the form "example.com/signer-name"',
      ),
    );
  const seconds = spec['expirationSeconds'];
  if (typeof seconds === 'number' && seconds < SHORTEST_SECONDS)
    found.push(
      causes.invalid(
        'spec.expirationSeconds',
        seconds,
        'may not specify a duration less than 600 seconds (10 minutes)',
      ),
    );
  return [
    ...found,
    ...validateConditions(csr),
    ...validateCertificate(text(dig(csr, 'status', 'certificate'))),
  ];
}

async function wrongRequest(base64: string): Promise<string | undefined> {
  const pem = Buffer.from(base64, 'base64').toString('latin1');
  const block = /^-----BEGIN CERTIFICATE REQUEST-----\r?\n[\s\S]+?-----END CERTIFICATE REQUEST-----/m.exec(
    pem,
  );
  if (block === null) return 'PEM block type must be CERTIFICATE REQUEST';
  try {
    const [der] = PemConverter.decode(block[0]);
    if (der === undefined) return 'PEM block type must be CERTIFICATE REQUEST';
    return (await new Pkcs10CertificateRequest(der).verify()) ? undefined : 'x509: signature does not verify';
  } catch {
    return 'asn1: structure error: malformed certificate request';
  }
}

function validateConditions(csr: KubeObject): Cause[] {
  const found: Cause[] = [];
  const conditions = conditionsOf(csr);
  const types = conditions.map((each) => text(each['type']));
  for (const [index, { status, type }] of conditions.entries()) {
    const at = `status.conditions[${index}]`;
    if (text(type) === '') found.push(causes.required(`${at}.type`));
    const allowed = [...APPROVAL_TYPES, 'Failed'].includes(text(type))
      ? ['True']
      : ['False', 'True', 'Unknown'];
    if (text(status) === '') found.push(causes.required(`${at}.status`));
    else if (!allowed.includes(text(status)))
      found.push(causes.notSupported(`${at}.status`, status, allowed));
    if (types.indexOf(text(type)) < index) found.push(causes.duplicate(`${at}.type`, type));
  }
  if (types.includes('Approved') && types.includes('Denied'))
    found.push(
      causes.invalid('status.conditions', 'Denied', 'Approved and Denied conditions are mutually exclusive'),
    );
  return found;
}

function validateCertificate(base64: string): Cause[] {
  if (base64 === '') return [];
  const pem = Buffer.from(base64, 'base64').toString('latin1');
  const at = (detail: string): Cause[] => [
    causes.invalid('status.certificate', '<certificate data>', detail),
  ];
  const blocks = pem.match(/-----BEGIN [^-]+-----[\s\S]*?-----END [^-]+-----/g) ?? [];
  if (blocks.length === 0) return at('must contain at least one CERTIFICATE PEM block');
  for (const block of blocks) {
    const label = /-----BEGIN ([^-]+)-----/.exec(block)?.[1];
    if (label !== 'CERTIFICATE') return at(`only CERTIFICATE PEM blocks are allowed, found "${label}"`);
    try {
      new X509Certificate(block);
    } catch {
      return at('x509: malformed certificate');
    }
  }
  return [];
}

/** Conditions of approval and the certificate are set by the subresource that may, once, and never taken back. */
function validateUpdate(csr: KubeObject, old: KubeObject, subresource: string): Cause[] {
  const found: Cause[] = [];
  const at = 'status.conditions';
  for (const type of [...APPROVAL_TYPES, 'Failed']) {
    const is = conditionsOf(csr).filter((each) => each['type'] === type);
    const was = conditionsOf(old).filter((each) => each['type'] === type);
    if (is.length < was.length)
      found.push(causes.forbidden(at, `updates may not remove a condition of type "${type}"`));
    else if (type !== 'Failed' && subresource !== 'approval' && is.length > was.length)
      found.push(causes.forbidden(at, `updates may not add a condition of type "${type}"`));
  }
  const certificate = dig(csr, 'status', 'certificate');
  const before = dig(old, 'status', 'certificate');
  if (certificate !== before && before !== undefined)
    found.push(causes.forbidden('status.certificate', 'updates may not modify existing certificate content'));
  return found;
}

/** Admission CertificateApproval and CertificateSigning: the right to approve or sign for that signer. */
function review(call: Call, csr: KubeObject, old: KubeObject | undefined): void {
  const { subresource } = call.request;
  if (old === undefined || (subresource !== 'approval' && subresource !== 'status')) return;
  if (subresource === 'status' && isDeepStrictEqual(csr['status'], old['status'])) return;
  const signer = text(specOf(old)['signerName']);
  const verb = subresource === 'approval' ? 'approve' : 'sign';
  const names = [signer, `${signer.slice(0, signer.indexOf('/'))}/*`];
  const allowed = names.some(
    (name) =>
      authorize(call.cluster, call.user, { verb, group: 'certificates.k8s.io', resource: 'signers', name })
        .allowed,
  );
  if (!allowed)
    throw forbidden(
      call.resource,
      csr.metadata.name,
      `user not permitted to ${verb} requests with signerName "${signer}"`,
    );
}
