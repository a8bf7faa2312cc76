import { type Public, publicToSpki } from '../formats/tpm/public.ts';
import { EK_ECC_P256, EK_RSA_2048 } from '../formats/tpm/templates.ts';
import { isSameKey } from '../formats/x509/public-key.ts';
import { readEndorsementCertificate, readEndorsementChain } from './endorsement-certificates.ts';
import type { TpmExecutor } from './executor.ts';
import { createEndorsementPrimary, flush, madeFrom, readObject, type TpmObject } from './objects.ts';

/** Where the TCG EK Credential Profile (2.2.1.4, 2.2.1.5) puts certificate and key of each template. */
interface EndorsementKeyRow {
  readonly template: Public;
  readonly certificateIndex: number;
  readonly persistentHandle: number;
}

/** In the order of preference: ECC takes a TPM milliseconds, RSA seconds. */
const ROWS: readonly [EndorsementKeyRow, ...EndorsementKeyRow[]] = [
  { template: EK_ECC_P256, certificateIndex: 0x01c0000a, persistentHandle: 0x81010016 },
  { template: EK_RSA_2048, certificateIndex: 0x01c00002, persistentHandle: 0x81010001 },
];

export interface EndorsementKey extends TpmObject {
  /** X.509 DER from the TPM's NV memory, leaf first, without the root; empty when there is none for this key. */
  readonly certificateChain: readonly Uint8Array[];
  /** Whether the handle must be flushed after use. */
  readonly transient: boolean;
  /** Why certificates that are in NV memory were passed over, one line each. */
  readonly passedOver: readonly string[];
}

/**
 * The endorsement key with the best proof of origin: the first of ECC P-256 and RSA-2048 whose certificate is in NV
 * memory and is for this very key, else the ECC one without. A persistent one is used where it is, else the key is derived again.
 */
export async function loadEndorsementKey(tpm: TpmExecutor): Promise<EndorsementKey> {
  const passedOver: string[] = [];
  for (const row of ROWS) {
    const certificate = await readEndorsementCertificate(tpm, row.certificateIndex);
    if (certificate === undefined) continue;
    const place = `the certificate at NV index 0x${row.certificateIndex.toString(16).padStart(8, '0')}`;
    if (typeof certificate === 'string') {
      passedOver.push(`${place} cannot be read: ${certificate}`);
      continue;
    }
    const key = await keyOf(tpm, row);
    const spki = publicToSpki(key.public);
    if (spki.ok && isSameKey(certificate.spki, spki.value))
      return { ...key, certificateChain: await readEndorsementChain(tpm, certificate), passedOver };
    passedOver.push(`${place} is for another endorsement key: the TPM's seed was changed since it was made`);
    if (key.transient) await flush(tpm, key.handle);
  }
  return { ...(await keyOf(tpm, ROWS[0])), certificateChain: [], passedOver };
}

async function keyOf(
  tpm: TpmExecutor,
  row: EndorsementKeyRow,
): Promise<TpmObject & { readonly transient: boolean }> {
  const persistent = await readObject(tpm, row.persistentHandle);
  if (persistent !== undefined && madeFrom(row.template, persistent.public))
    return { ...persistent, transient: false };
  return { ...(await createEndorsementPrimary(tpm, row.template)), transient: true };
}
