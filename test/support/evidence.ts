import { toBase64url } from '../../formats/bytes/base64.ts';
import { concat, toHex, toUtf8 } from '../../formats/bytes/bytes.ts';
import { Writer } from '../../formats/bytes/writer.ts';
import { batchTree, leafHash, qualifyingData } from '../../formats/evidence/batch.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { STATEMENT_PROFILE, type Statement } from '../../formats/evidence/statement.ts';
import { HASHES } from '../../formats/tpm/algorithms.ts';
import { type Attest, encodeAttest } from '../../formats/tpm/attest.ts';
import { selectPcrs } from '../../formats/tpm/pcr-selection.ts';
import { encodePublic, type Public, primaryQualifiedName } from '../../formats/tpm/public.ts';
import { encodeSignature, type Signature } from '../../formats/tpm/signature.ts';
import { AK_ATTRIBUTES } from '../../formats/tpm/templates.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { RequestContext, VerifyContext } from '../../verify/context.ts';
import type { Policy } from '../../verify/policy/policy.ts';
import {
  FIXTURE_NOW,
  type FixtureIssuer,
  fixtureCertificate,
  fixtureRoots,
  type LeafFields,
  rootIssuer,
} from './fixture-certificates.ts';
import { ecKey, type FixtureTpmKey } from './fixture-keys.ts';

const ENDORSEMENT = 0x4000000b;

type Change<T> = (value: T) => T;

/** Where a forgery is made: each change is applied before what follows from it is computed, so all else stays consistent. */
export interface Changes {
  readonly ak?: FixtureTpmKey;
  /** Signs instead of the attestation key. */
  readonly signer?: FixtureTpmKey;
  readonly akPublic?: Change<Public>;
  /** Of the attestation key; TPM_RH_ENDORSEMENT by default. */
  readonly hierarchy?: number;
  readonly akCertificate?: Change<LeafFields>;
  readonly akIssuer?: FixtureIssuer;
  readonly certificate?: Change<LeafFields>;
  readonly certificateIssuer?: FixtureIssuer;
  /** Of the verifier; the statement names them too. */
  readonly roots?: Change<Roots>;
  readonly statement?: Change<Statement>;
  /** Bytes of the statement, when they are not JSON.stringify of one. */
  readonly statementBytes?: Change<Uint8Array>;
  readonly pcrs?: { readonly hash: 'sha256' | 'sha384'; readonly pcrs: readonly number[] };
  readonly neighbours?: number;
  readonly index?: number;
  readonly qualifyingData?: Change<Uint8Array>;
  readonly attest?: Change<Attest>;
  /** Bytes that are signed instead of the attest's. */
  readonly attestBytes?: Change<Uint8Array>;
  readonly signature?: Change<Signature>;
  readonly bundle?: Change<Bundle>;
  readonly policy?: Change<Policy>;
  readonly context?: Change<VerifyContext>;
}

export interface Fixture {
  readonly bundle: Bundle;
  readonly policy: Policy;
  readonly context: VerifyContext;
}

const sha256 = (bytes: Uint8Array) => nodeCrypto.hash('sha256', bytes);
const same = <T>(value: T): T => value;

export const OWNER_KEY = ecKey('owner');
export const ENCLAVE_KEY = ecKey('enclave');
export const FIXTURE_NONCE = sha256(toUtf8('nonce')).slice(0, 32);
const OWNER_SHA256 = toHex(sha256(OWNER_KEY.spki));
export const EK_SHA256 = toHex(sha256(ecKey('ek').spki));
export const IMAGE = `registry.example/app@sha256:${toHex(sha256(toUtf8('app')))}`;
const SPEC_SHA256 = toHex(sha256(toUtf8('spec')));
const POD_UID = '0b6ae5cc-1f43-4b5c-9d0e-6f4a5a0d7c11';
const ENCLAVE = 'eabcdefghijklmno';
const SPIFFE_ID = 'spiffe://enclave-licensing.internal/ns/team/sa/default';

function baseStatement(roots: Roots, confirmation: Statement['cnf']): Statement {
  return {
    eat_profile: STATEMENT_PROFILE,
    eat_nonce: toBase64url(FIXTURE_NONCE),
    iat: FIXTURE_NOW - 5,
    sub: SPIFFE_ID,
    cnf: confirmation,
    pod: {
      namespace: 'team',
      name: 'enclave-eabcdefghijklmno',
      uid: POD_UID,
      serviceAccount: 'default',
      node: 'node-1',
      enclave: ENCLAVE,
      images: [{ container: 'app', image: IMAGE }],
      specSha256: SPEC_SHA256,
    },
    access: {
      mode: 'http',
      upstream: 'unix:/run/enclave/app.sock',
      auth: 'mtls',
      ownerKeySha256: OWNER_SHA256,
      rootsSha256: rootsSha256(nodeCrypto, rootsToJson(roots)),
    },
  };
}

/** A policy that names every value of the fixture. */
export const FIXTURE_POLICY: Policy = {
  allowEmulatedTpm: false,
  eks: [EK_SHA256],
  pcrs: 'any',
  roots: 'any',
  namespaces: ['team'],
  serviceAccounts: ['default'],
  enclaves: [ENCLAVE],
  images: [IMAGE],
  specSha256: [SPEC_SHA256],
  modes: ['http'],
  auth: ['mtls'],
  upstream: ['unix:/run/enclave/app.sock'],
  ownerKeys: [OWNER_SHA256],
  maxAge: 300,
};

function pcrDigest(index: number, hash: 'sha256' | 'sha384'): Uint8Array {
  return nodeCrypto.hash(hash, Uint8Array.of(index));
}

/** The attestation key's TPMT_PUBLIC as `agent` makes it. */
function akPublic(ak: FixtureTpmKey): Public {
  return {
    nameAlg: 'sha256',
    attributes: AK_ATTRIBUTES,
    authPolicy: new Uint8Array(0),
    parameters: ak.parameters,
    unique: ak.unique,
  };
}

function build(
  changes: Changes,
  certificateChain: Uint8Array[],
  confirmation: Statement['cnf'],
  roots: Roots,
): Bundle {
  const ak = changes.ak ?? ecKey('ak');
  const text = JSON.stringify((changes.statement ?? same)(baseStatement(roots, confirmation)));
  const statement = (changes.statementBytes ?? same)(toUtf8(text));
  const blinder = sha256(toUtf8('blinder'));
  const { neighbours = 2, index = 1 } = changes;
  const leaves = Array.from({ length: neighbours + 1 }, (_, i) =>
    i === index ? leafHash(nodeCrypto, statement, blinder) : sha256(new Writer().u32(i).finish()),
  );
  const tree = batchTree(nodeCrypto, leaves);
  const pcrs = changes.pcrs ?? { hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7] };
  const publicArea = (changes.akPublic ?? same)(akPublic(ak));
  const signer = primaryQualifiedName(nodeCrypto, publicArea, changes.hierarchy ?? ENDORSEMENT);
  const signatureHash = ak.scheme.endsWith('sha384') ? 'sha384' : 'sha256';
  const values = pcrs.pcrs.map((pcr) => ({ index: pcr, digest: pcrDigest(pcr, pcrs.hash) }));
  const attest = (changes.attest ?? same)({
    qualifiedSigner: signer.ok ? signer.value : new Uint8Array(22),
    extraData: (changes.qualifyingData ?? same)(qualifyingData(nodeCrypto, leaves.length, tree.root)),
    clockInfo: { clock: 1_000_000n, resetCount: 7, restartCount: 2, safe: true },
    firmwareVersion: 1n,
    attested: {
      kind: 'quote',
      pcrSelect: selectPcrs(pcrs),
      pcrDigest: nodeCrypto.hash(signatureHash, concat(...values.map(({ digest }) => digest))),
    },
  });
  const attestBytes = (changes.attestBytes ?? same)(encodeAttest(attest));
  const signature = (changes.signature ?? same)((changes.signer ?? ak).tpmSignature(attestBytes));
  const akFields = (changes.akCertificate ?? same)({
    spki: ak.spki,
    subject: { commonName: 'node-1' },
    extensions: { tpmTrust: { ekSha256: EK_SHA256, how: 'vendor-root' } },
  });
  const akIssuer = changes.akIssuer ?? rootIssuer('attestation-keys');
  const akCertificate = fixtureCertificate('attestation-keys', akFields, akIssuer);
  return {
    certificateChain,
    statement,
    blinder,
    leafIndex: index,
    leafCount: leaves.length,
    path: tree.pathOf(index),
    attest: attestBytes,
    signature: encodeSignature(signature),
    pcrValues: { hashAlgorithm: HASHES[pcrs.hash], values },
    eventLog: new Uint8Array(0),
    attestationKeyPublic: encodePublic(publicArea),
    attestationKeyCertificateChain: [akCertificate, ...(akIssuer.chain ?? [])],
    endpoint: certificateChain.length > 0 ? '127.0.0.1:8443' : '',
    serverName: certificateChain.length > 0 ? `${ENCLAVE}.enclaves.enclave-licensing.internal` : '',
  };
}

/** A complete bundle that verifies, or, with changes, one that differs from it in these and in what follows from them. */
export function fixture(changes: Changes = {}): Fixture {
  const roots = (changes.roots ?? same)(fixtureRoots());
  const issuer = changes.certificateIssuer ?? rootIssuer('enclaves');
  const fields = (changes.certificate ?? same)({
    spki: ENCLAVE_KEY.spki,
    extensions: {
      subjectAltName: { dns: [`${ENCLAVE}.enclaves.enclave-licensing.internal`], uri: [SPIFFE_ID] },
      enclaveBinding: { podUid: POD_UID, enclave: ENCLAVE, node: 'node-1', ownerKeySha256: OWNER_SHA256 },
    },
  });
  const der = fixtureCertificate('enclaves', fields, issuer);
  const bundle = (changes.bundle ?? same)(
    build(changes, [der, ...(issuer.chain ?? [])], { 'x5t#S256': toBase64url(sha256(der)) }, roots),
  );
  const context: VerifyContext = {
    crypto: nodeCrypto,
    now: FIXTURE_NOW,
    nonce: FIXTURE_NONCE,
    trust: roots,
    pcrSelection: { hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7] },
    liveCertificate: der,
    ownerKeySha256: OWNER_SHA256,
    seen: [
      { node: 'node-1', ekSha256: EK_SHA256, akName: '', resetCount: 7, restartCount: 1, clock: 900_000 },
    ],
  };
  return {
    bundle,
    policy: (changes.policy ?? same)(FIXTURE_POLICY),
    context: (changes.context ?? same)(context),
  };
}

/** The same as the content of a certificate request's evidence attribute. */
export function requestFixture(changes: Changes = {}): {
  bundle: Bundle;
  policy: Policy;
  context: RequestContext;
} {
  const roots = (changes.roots ?? same)(fixtureRoots());
  const { nonce: _, ownerKeySha256: _owner, liveCertificate: _live, ...shared } = fixture().context;
  const bundle = (changes.bundle ?? same)(
    build(changes, [], { 'spki#S256': toBase64url(sha256(ENCLAVE_KEY.spki)) }, roots),
  );
  const epochs = [sha256(toUtf8('current')), FIXTURE_NONCE];
  return {
    bundle,
    policy: (changes.policy ?? same)(FIXTURE_POLICY),
    context: { ...shared, trust: roots, epochs, spki: ENCLAVE_KEY.spki },
  };
}
