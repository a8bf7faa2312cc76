import { sign } from 'node:crypto';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { fromBase64 } from '../../../formats/bytes/base64.ts';
import { concat, fromHex, toUtf8 } from '../../../formats/bytes/bytes.ts';
import { Writer } from '../../../formats/bytes/writer.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import type { ChainCode } from '../../../verify/verify-code.ts';
import { CERTIFICATE, holding, KEY_CERTIFICATE, SIDES } from '../chain-sides.ts';
import type { Changes } from '../evidence.ts';
import { type FixtureIssuer, fixtureRoot, rootIssuer } from '../fixture-certificates.ts';
import { ecKey, type FixtureKey, type FixtureTpmKey } from '../fixture-keys.ts';
import { type RsaKind, rsaKey, testKey } from '../fixture-rsa-key.ts';
import { bad, context, type Forgeries, type Forgery, good, replaceBytes } from '../forgery.ts';

type Owner = 'ak' | 'root';
type Hash = 'sha256' | 'sha384';
export interface KeyKind {
  readonly name: string;
  key(owner: Owner): FixtureTpmKey;
  /** The same key, made to sign by another padding or hash than its parameters say. */
  inAnotherScheme(owner: Owner): FixtureTpmKey;
}

const HASHES: readonly Hash[] = ['sha256', 'sha384'];
const other = (hash: Hash): Hash => (hash === 'sha256' ? 'sha384' : 'sha256');

function rsa(bits: RsaKind, scheme: 'rsassa' | 'rsapss', hash: Hash): KeyKind {
  return {
    name: `rsa-${bits}-${scheme}-${hash}`,
    key: (owner) => rsaKey(bits, scheme, hash, owner),
    inAnotherScheme: (owner) => rsaKey(bits, scheme === 'rsassa' ? 'rsapss' : 'rsassa', hash, owner),
  };
}
function ec(curve: 'p256' | 'p384', hash: Hash): KeyKind {
  return {
    name: `${curve}-${hash}`,
    key: (owner) => ecKey(owner, curve, hash),
    inAnotherScheme: (owner) => ecKey(owner, curve, other(hash)),
  };
}

/** Every kind of attestation key and of issuer that the closed tables have. */
export const KINDS: readonly KeyKind[] = HASHES.flatMap((hash) => [
  ...(['2048', '3072', '4096'] as const).flatMap((bits) => [
    rsa(bits, 'rsassa', hash),
    rsa(bits, 'rsapss', hash),
  ]),
  ec('p256', hash),
  ec('p384', hash),
]);

export function keyKind(name: string): KeyKind {
  const kind = KINDS.find((each) => each.name === name);
  if (!kind) throw new TypeError(`there is no kind ${name}`);
  return kind;
}

const PCRS = [0, 1, 2, 3, 4, 5, 6, 7];
const bank = (hash: Hash): Changes => ({
  pcrs: { hash, pcrs: PCRS },
  ...context({ pcrSelection: { hash, pcrs: PCRS } }),
});
function named(entries: readonly (readonly [string, Forgery])[]): Forgeries {
  return Object.fromEntries(entries);
}

/** A root of this key, held by the verifier, that issued the side's certificate. */
function underRoot(
  side: (typeof SIDES)[number],
  by: FixtureIssuer,
  root = fixtureRoot(side.role, undefined, by),
): Changes {
  return { ...holding(side, root), ...side.issuer(by) };
}
const issuing = (side: (typeof SIDES)[number], key: FixtureKey): FixtureIssuer => ({
  ...rootIssuer(side.role),
  key,
});

/** Each kind as issuer of one certificate, the one half a table further of the other. */
function goodRoots({ name, key }: KeyKind, i: number): readonly [string, Forgery] {
  const second = KINDS[(i + KINDS.length / 2) % KINDS.length]?.key('root') ?? key('root');
  const first = underRoot(CERTIFICATE, issuing(CERTIFICATE, key('root')));
  const next = underRoot(KEY_CERTIFICATE, issuing(KEY_CERTIFICATE, second));
  const roots: Changes['roots'] = (r) => next.roots?.(first.roots?.(r) ?? r) ?? r;
  return [`good-root-${name}`, good({ ...first, ...next, roots })];
}

/** A bundle all of one kind: attestation key, enclave key and both roots. */
export function allOfKind({ key }: KeyKind): Changes {
  const sides = SIDES.map((side) => underRoot(side, issuing(side, key('root'))));
  return {
    ...Object.assign({}, ...sides),
    ...CERTIFICATE.leaf(() => ({ spki: key('root').spki })),
    ak: key('ak'),
    roots: (roots) => sides.reduce((held, { roots: change }) => change?.(held) ?? held, roots),
  };
}

const spki = (base64: string): Uint8Array => fromBase64(base64) ?? new Uint8Array();
const P192 = spki(
  'MEkwEwYHKoZIzj0CAQYIKoZIzj0DAQEDMgAEjsU53T4YvBFN1KfjGB0bIAUmcpYkKCn4eLYYxYOtTxmZae5WzHtEKUBE8N1mjH0R',
);
const P224 = spki(
  'ME4wEAYHKoZIzj0CAQYFK4EEACEDOgAEyEZuQ49QwrWYEZgRFttnNbcfdHpHW7RSKWjytYmQsASh3vYExsXwft4QUqU3p+CXkhZalB4CPhw=',
);
const ED25519 = spki('MCowBQYDK2VwAyEAhEr4EXkVElsRPP7rFQ3WpUN4ohr0VQm1lZPnurN/8RE=');

/** A curve of the right size that is in no table. */
function koblitzKey(): FixtureKey {
  const secret = nodeCrypto.hash('sha256', toUtf8('enclave-licensing fixture secp256k1'));
  const prefix = fromHex('3056301006072a8648ce3d020106052b8104000a034200') ?? new Uint8Array();
  return {
    spki: concat(prefix, secp256k1.getPublicKey(secret, false)),
    scheme: 'ecdsa-sha256',
    sign: (message) =>
      secp256k1.sign(nodeCrypto.hash('sha256', message), secret, {
        prehash: false,
        lowS: false,
        format: 'der',
      }),
  };
}

/** Keys of certificates that are refused, by what is wrong with them. */
const WEAK_KEYS: Readonly<Record<string, Uint8Array>> = {
  'rsa-1024': rsaKey('1024').spki,
  'rsa-2048-exponent-3': rsaKey('2048-exponent-3').spki,
  p192: P192,
  p224: P224,
  p521: ecKey('weak', 'p521').spki,
  secp256k1: koblitzKey().spki,
  ed25519: ED25519,
};
const WEAK_ROOTS: Readonly<Record<string, FixtureKey>> = {
  'rsa-1024': rsaKey('1024', 'rsassa', 'sha256', 'root'),
  'rsa-2048-exponent-3': rsaKey('2048-exponent-3', 'rsassa', 'sha256', 'root'),
  p521: ecKey('root', 'p521'),
  secp256k1: koblitzKey(),
};

/** RSASSA with SHA-1, which the tables of this project do not have. */
const sha1Signature = (owner: Owner) => (message: Uint8Array) =>
  new Uint8Array(sign('sha1', message, testKey('2048', owner)));
const sha1 = (der: Uint8Array) => replaceBytes(der, '06092a864886f70d01010b', '06092a864886f70d010105');
const sha512 = (der: Uint8Array) => replaceBytes(der, '06082a8648ce3d040302', '06082a8648ce3d040304');

function weakIn(side: (typeof SIDES)[number]): readonly (readonly [string, Forgery])[] {
  const refused = (code: ChainCode, changes: Changes) => bad(side.check, code, changes);
  const rsaIssuer = issuing(side, rsaKey('2048', 'rsassa', 'sha256', 'root'));
  const bySha1 = { ...rsaIssuer, key: { ...rsaIssuer.key, sign: sha1Signature('root') }, rewrite: sha1 };
  return [
    ...Object.entries(WEAK_KEYS).map(
      ([name, key]) =>
        [
          `${side.prefix}-of-a-key-${name}`,
          refused(
            'chain-key',
            side.leaf(() => ({ spki: key })),
          ),
        ] as const,
    ),
    ...Object.entries(WEAK_ROOTS).map(
      ([name, key]) =>
        [
          `${side.prefix}-under-a-root-${name}`,
          refused('chain-key', underRoot(side, issuing(side, key))),
        ] as const,
    ),
    [
      `${side.prefix}-signed-with-another-salt-than-it-says`,
      refused(
        'chain-signature',
        underRoot(
          side,
          issuing(side, salted('root', 'sha256', 256 - 32 - 2)),
          fixtureRoot(side.role, undefined, issuing(side, salted('root'))),
        ),
      ),
    ],
    [
      `${side.prefix}-signed-by-sha-1`,
      refused('chain-malformed', underRoot(side, bySha1, fixtureRoot(side.role, undefined, rsaIssuer))),
    ],
    [
      `${side.prefix}-signed-by-sha-512`,
      refused('chain-malformed', side.issuer({ ...rootIssuer(side.role), rewrite: sha512 })),
    ],
    [
      `${side.prefix}-under-a-root-signed-by-sha-1`,
      refused('chain-untrusted', {
        ...holding(side, fixtureRoot(side.role, undefined, bySha1)),
        ...side.issuer(rsaIssuer),
      }),
    ],
  ];
}

/** A TPMT_PUBLIC on a curve that the project's table does not have: TPM_ECC_NIST_P192 and P224, by the TCG registry. */
function onCurve(curve: number, info: Uint8Array, size: number): Forgery {
  const point = info.slice(-2 * size);
  return bad('attestation-key', 'attestation-key-malformed', {
    bundle: (b) => {
      const head = b.attestationKeyPublic.slice(0, b.attestationKeyPublic.length - 2 * 34 - 4);
      const tail = new Writer()
        .u16(curve)
        .u16(0x0010)
        .sized16(point.slice(0, size))
        .sized16(point.slice(size));
      return { ...b, attestationKeyPublic: concat(head, tail.finish()) };
    },
  });
}
const weakKey = (ak: FixtureTpmKey) => bad('attestation-key', 'attestation-key-weak', { ak });

const signed = (ak: FixtureTpmKey, signer: FixtureTpmKey) =>
  bad('quote-signature', 'quote-signature', { ak, signer });

const salted = (owner: Owner, hash: Hash = 'sha256', bytes = 32) =>
  rsaKey('2048', 'rsapss', hash, owner, bytes);

/** Good and bad evidence and certificates by every kind of key, and by kinds that are in no table. */
export const KEY_KINDS: Forgeries = {
  ...named(
    KINDS.flatMap((kind) =>
      HASHES.map(
        (hash) => [`good-ak-${kind.name}-pcrs-${hash}`, good({ ak: kind.key('ak'), ...bank(hash) })] as const,
      ),
    ),
  ),
  ...named(
    KINDS.map((kind) => [`ak-${kind.name}-signed-by-another`, signed(kind.key('ak'), kind.key('root'))]),
  ),
  ...named(
    KINDS.map((kind) => [
      `ak-${kind.name}-signed-in-another-scheme`,
      signed(kind.key('ak'), kind.inAnotherScheme('ak')),
    ]),
  ),
  // Salts as TPMs make them (TPM 2.0 Library part 1, B.7): as long as the hash, or the longest that fits. No others.
  'good-ak-rsa-2048-rsapss-sha256-longest-salt': good({ ak: salted('ak', 'sha256', 256 - 32 - 2) }),
  'good-ak-rsa-2048-rsapss-sha384-longest-salt': good({ ak: salted('ak', 'sha384', 256 - 48 - 2) }),
  'ak-rsa-2048-rsapss-sha256-salt-of-20': signed(salted('ak'), salted('ak', 'sha256', 20)),
  'ak-rsa-2048-rsapss-sha256-without-salt': signed(salted('ak'), salted('ak', 'sha256', 0)),
  'ak-rsa-1024': weakKey(rsaKey('1024')),
  'ak-rsa-2048-exponent-3': weakKey(rsaKey('2048-exponent-3')),
  'ak-p521': weakKey(ecKey('ak', 'p521')),
  'ak-p192': onCurve(0x0001, P192, 24),
  'ak-p224': onCurve(0x0002, P224, 28),

  ...named(KINDS.map(goodRoots)),
  ...named(
    KINDS.map((kind, i) => {
      const side = i < KINDS.length / 2 ? CERTIFICATE : KEY_CERTIFICATE;
      return [
        `${side.prefix}-under-${kind.name}-signed-by-another`,
        bad(side.check, 'chain-signature', {
          ...underRoot(side, issuing(side, kind.key('root'))),
          ...side.issuer(issuing(side, kind.key('ak'))),
        }),
      ];
    }),
  ),
  ...named(
    (['2048', '3072', '4096'] as const).map((bits) => [
      `good-certificate-of-a-key-rsa-${bits}`,
      good(CERTIFICATE.leaf(() => ({ spki: rsaKey(bits).spki }))),
    ]),
  ),
  'good-certificate-of-a-key-p384': good(CERTIFICATE.leaf(() => ({ spki: ecKey('enclave', 'p384').spki }))),
  ...named(SIDES.flatMap(weakIn)),
};
