import { toHex } from '../../../formats/bytes/bytes.ts';
import { type Json, parseJson } from '../../../formats/bytes/json.ts';
import type { Bundle } from '../../../formats/evidence/bundle.ts';
import { MAX_STATEMENT_BYTES } from '../../../formats/evidence/statement.ts';
import { decodeAttest } from '../../../formats/tpm/attest.ts';
import { selectedPcrs } from '../../../formats/tpm/pcr-selection.ts';
import { decodePublic, type ObjectAttributes, objectName } from '../../../formats/tpm/public.ts';
import { decodeSignature } from '../../../formats/tpm/signature.ts';
import { type Certificate, parseCertificate } from '../../../formats/x509/certificate.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';

/** A part that cannot be read: why, and its bytes. */
export interface Unreadable {
  readonly unreadable: string;
  readonly hex: string;
}

/** TPMA_OBJECT (TPM 2.0 Library part 2, 8.3) in words: of a key with the attribute, and of one without. */
export const ATTRIBUTE_WORDS: Readonly<Record<keyof ObjectAttributes, readonly [string, string]>> = {
  restricted: ['signs only what its TPM made', 'signs whatever it is given'],
  sign: ['may sign', 'may not sign'],
  decrypt: ['may decrypt', 'may not decrypt'],
  fixedTPM: ['cannot leave its TPM', 'may be copied to another TPM'],
  fixedParent: ['stays under its parent', 'may be moved under another parent'],
  sensitiveDataOrigin: ['was made inside its TPM', 'may have been brought in from outside'],
  userWithAuth: ['is used with its authorization value', 'is used by policy only'],
  adminWithPolicy: ['is administered by policy only', 'is administered with its authorization value'],
  noDA: ['has no lockout after wrong attempts', 'locks out after wrong attempts'],
  stClear: ['is gone after a restart', 'survives a restart'],
  encryptedDuplication: [
    'is only duplicated encrypted',
    'may be duplicated in the clear where duplication is allowed',
  ],
  x509sign: ['signs X.509 certificates only', 'is not bound to X.509 certificates'],
};

/** What a bundle says, part by part, nothing of it verified; total: a part that cannot be read says so. Hashes are lower-case hex. */
export function describeBundle(bundle: Bundle) {
  const { endpoint, serverName, leafIndex, leafCount, path, pcrValues } = bundle;
  return {
    verified: false,
    endpoint,
    serverName,
    certificates: bundle.certificateChain.map(describeEnclaveCertificate),
    batch: { leaf: leafIndex, of: leafCount, pathHashes: path.length, blinder: toHex(bundle.blinder) },
    quote: describeQuote(bundle.attest),
    signature: describeSignature(bundle.signature),
    attestationKey: describeKey(bundle.attestationKeyPublic),
    attestationKeyCertificates: bundle.attestationKeyCertificateChain.map(describeKeyCertificate),
    pcrValues: Object.fromEntries(
      (pcrValues?.values ?? []).map(({ index, digest }) => [`${index}`, toHex(digest)]),
    ),
    eventLogBytes: bundle.eventLog.length,
    statement: describeStatement(bundle.statement),
  };
}

function unreadable(message: string, bytes: Uint8Array): Unreadable {
  return { unreadable: message, hex: toHex(bytes) };
}

function time(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

function common(certificate: Certificate) {
  const { der, notBefore, notAfter, keyKind, signatureAlgorithm } = certificate;
  return {
    sha256: toHex(nodeCrypto.hash('sha256', der)),
    notBefore: time(notBefore),
    notAfter: time(notAfter),
    key: keyKind ?? 'of a kind that is not accepted',
    signedWith: signatureAlgorithm,
  };
}

function describeEnclaveCertificate(der: Uint8Array) {
  const parsed = parseCertificate(der);
  if (!parsed.ok) return unreadable(parsed.message, der);
  const { subjectAltName, enclaveBinding } = parsed.value.extensions;
  return {
    dnsNames: subjectAltName?.dns ?? [],
    uris: subjectAltName?.uri ?? [],
    binding: enclaveBinding ?? null,
    ...common(parsed.value),
  };
}

function describeKeyCertificate(der: Uint8Array) {
  const parsed = parseCertificate(der);
  if (!parsed.ok) return unreadable(parsed.message, der);
  const { commonName, extensions } = parsed.value;
  return { node: commonName ?? null, tpmTrust: extensions.tpmTrust ?? null, ...common(parsed.value) };
}

function describeQuote(bytes: Uint8Array) {
  const decoded = decodeAttest(bytes);
  if (!decoded.ok) return unreadable(decoded.message, bytes);
  const { qualifiedSigner, extraData, clockInfo, firmwareVersion, attested } = decoded.value;
  return {
    magic: 'ff544347 (TPM_GENERATED_VALUE)',
    type: `TPM_ST_ATTEST_${attested.kind.toUpperCase()}`,
    qualifiedSigner: toHex(qualifiedSigner),
    extraData: toHex(extraData),
    clock: `${clockInfo.clock} ms`,
    resetCount: clockInfo.resetCount,
    restartCount: clockInfo.restartCount,
    safe: clockInfo.safe ? 'YES' : 'NO',
    firmwareVersion: `0x${firmwareVersion.toString(16).padStart(16, '0')}`,
    ...(attested.kind === 'quote' && {
      pcrSelection: selectedPcrs(attested.pcrSelect).map(({ hash, pcrs }) => `${hash}:${pcrs.join(',')}`),
      pcrDigest: toHex(attested.pcrDigest),
    }),
  };
}

function describeSignature(bytes: Uint8Array) {
  const decoded = decodeSignature(bytes);
  if (!decoded.ok) return unreadable(decoded.message, bytes);
  const signature = decoded.value;
  return {
    scheme: signature.kind,
    hash: signature.hash,
    ...(signature.kind === 'ecdsa'
      ? { r: toHex(signature.r), s: toHex(signature.s) }
      : { value: toHex(signature.signature) }),
  };
}

function describeKey(bytes: Uint8Array) {
  const decoded = decodePublic(bytes);
  if (!decoded.ok) return unreadable(decoded.message, bytes);
  const { nameAlg, attributes, authPolicy, parameters } = decoded.value;
  const name = objectName(nodeCrypto, decoded.value);
  const { scheme } = parameters;
  return {
    key: parameters.kind === 'rsa' ? `RSA ${parameters.keyBits}` : parameters.curve,
    scheme: 'hash' in scheme ? `${scheme.kind} with ${scheme.hash}` : scheme.kind,
    nameAlgorithm: nameAlg,
    name: name.ok ? toHex(name.value) : null,
    authPolicy: toHex(authPolicy),
    attributes,
  };
}

/** Strictly read, so that a member that is there twice is not shown once; otherwise the text as it stands. */
function describeStatement(
  bytes: Uint8Array,
): { readonly claims: Json } | { readonly unreadable: string; readonly text: string } {
  const parsed = parseJson(bytes, { maxBytes: MAX_STATEMENT_BYTES, maxDepth: 16 });
  if (parsed.ok) return { claims: parsed.value };
  return { unreadable: parsed.message, text: Buffer.from(bytes).toString('utf8') };
}
