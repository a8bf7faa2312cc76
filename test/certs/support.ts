import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Authority } from '../../certs/authority/authority.ts';
import { makeIssuer, readIssuer } from '../../certs/authority/issuer-pem.ts';
import type { CertsCode } from '../../certs/code.ts';
import { type ReadRequest, type RequestObject, readRequest } from '../../certs/evaluate/request.ts';
import type { Revocations } from '../../certs/evaluate/revocations.ts';
import type { TrustState } from '../../certs/trust/trust-state.ts';
import type { TrustStore } from '../../certs/trust/trust-store.ts';
import type { Result } from '../../formats/bytes/result.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { ISSUERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey, type KeyPair } from '../../platform/identity/key-pair.ts';

export const NOW = 1_795_305_600;
export const DOMAINS = {
  trustDomain: 'enclave-licensing.internal',
  enclaveDomain: 'enclaves.enclave-licensing.internal',
};

const folders: string[] = [];

/** A folder under the temporary one; `removeFolders` after the suite. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'certs-'));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export function issuerContext(now = NOW) {
  const random = (bytes: number) => new Uint8Array(randomBytes(bytes));
  return { ...DOMAINS, crypto: nodeCrypto, now, random };
}

/** Four new issuers, kept nowhere. */
export function testAuthority(): Authority {
  const context = issuerContext();
  const keys = new Map(
    ISSUERS.map((issuer) => [issuer, readIssuer('test', issuer, makeIssuer(issuer, context), context)]),
  );
  return {
    issuer: (name) => {
      const key = keys.get(name);
      if (key === undefined) throw new Error(name);
      return key;
    },
  };
}

/** A trust store that keeps what was saved in memory. */
export function memoryStore(): TrustStore & { kept: TrustState | undefined } {
  const store: ReturnType<typeof memoryStore> = {
    kept: undefined,
    load: async () => store.kept,
    save: async (state) => {
      store.kept = state;
    },
  };
  return store;
}

export function serial(): Uint8Array {
  return new Uint8Array(randomBytes(16));
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A CSR object's judged part around a request. */
export function requestOf(
  der: Uint8Array,
  object: Partial<RequestObject> & Pick<RequestObject, 'signerName' | 'username' | 'usages'>,
): RequestObject {
  return {
    name: 'component-front-0123456789',
    annotations: {},
    extra: {},
    ...object,
    request: Buffer.from(encodePem('CERTIFICATE REQUEST', der)).toString('base64'),
  };
}

/** Reads it, or fails the test: for what comes after. */
export function read(object: RequestObject): ReadRequest {
  const request = readRequest(nodeCrypto, object);
  if (!request.ok) throw new Error(request.message);
  return request.value;
}

export function csrOf(
  key: KeyPair = generateKey(),
  fields: Partial<Parameters<typeof buildCertificateRequest>[0]> = {},
): Uint8Array {
  return buildCertificateRequest({ spki: key.spki, ...fields }, key.sign, key.scheme);
}

export function codeOf(result: Result<unknown, CertsCode>): CertsCode | 'ok' {
  return result.ok ? 'ok' : result.code;
}

export const NOTHING_REVOKED: Revocations = {
  isPodRevoked: () => false,
  isUserRevoked: () => false,
  isGrantRevoked: () => false,
};
