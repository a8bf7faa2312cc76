import type { Attest } from '../../../formats/tpm/attest.ts';
import { selectPcrs } from '../../../formats/tpm/pcr-selection.ts';
import type { Public } from '../../../formats/tpm/public.ts';

const noFlags = {
  fixedTPM: false,
  stClear: false,
  fixedParent: false,
  sensitiveDataOrigin: false,
  userWithAuth: false,
  adminWithPolicy: false,
  noDA: false,
  encryptedDuplication: false,
  restricted: false,
  decrypt: false,
  sign: false,
  x509sign: false,
} as const;

/** The values of the structures' tests, shaped as a TPM's; the real ones come from swtpm in test/tpm. */
export const ecPublic: Public = {
  nameAlg: 'sha256',
  attributes: { ...noFlags, fixedTPM: true, restricted: true, sign: true },
  authPolicy: new Uint8Array(32).fill(1),
  parameters: {
    kind: 'ecc',
    symmetric: { kind: 'null' },
    scheme: { kind: 'ecdsa', hash: 'sha256' },
    curve: 'P-256',
    kdf: { kind: 'null' },
  },
  unique: { kind: 'ecc', x: new Uint8Array(32).fill(2), y: new Uint8Array(31).fill(3) },
};

export const rsaPublic: Public = {
  nameAlg: 'sha256',
  attributes: { ...noFlags, fixedTPM: true, decrypt: true },
  authPolicy: new Uint8Array(0),
  parameters: {
    kind: 'rsa',
    symmetric: { kind: 'aes', keyBits: '128', mode: 'cfb' },
    scheme: { kind: 'null' },
    keyBits: 2048,
    exponent: 0,
  },
  unique: { kind: 'rsa', modulus: new Uint8Array(256).fill(0xc1) },
};

const frame = {
  qualifiedSigner: new Uint8Array(34).fill(4),
  extraData: new Uint8Array(32).fill(5),
  clockInfo: { clock: 2n ** 40n, resetCount: 7, restartCount: 1, safe: true },
  firmwareVersion: 0x2019102300163636n,
};

export const attests: readonly Attest[] = [
  {
    ...frame,
    attested: {
      kind: 'quote',
      pcrSelect: selectPcrs({ hash: 'sha256', pcrs: [0, 7, 16] }),
      pcrDigest: new Uint8Array(32).fill(6),
    },
  },
  { ...frame, attested: { kind: 'certify', name: new Uint8Array(34), qualifiedName: new Uint8Array(34) } },
  {
    ...frame,
    attested: { kind: 'creation', objectName: new Uint8Array(34), creationHash: new Uint8Array(32) },
  },
  {
    ...frame,
    attested: { kind: 'time', time: { time: 9n, clockInfo: frame.clockInfo }, firmwareVersion: 3n },
  },
];
