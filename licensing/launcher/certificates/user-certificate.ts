import { randomBytes } from 'node:crypto';
import { toBase64 } from '../../../formats/bytes/base64.ts';
import { CSR_ANNOTATIONS } from '../../../names/labels.ts';
import { SIGNERS } from '../../../names/signers.ts';
import { CertificateDenied, requestCertificate } from '../../../platform/identity/request-certificate.ts';
import type { Kube } from '../../../platform/kube/kube.ts';
import { CERTIFICATE_SIGNING_REQUESTS } from '../../../platform/kube/resources.ts';
import type { Logger } from '../../../platform/log/logger.ts';
import { explain } from '../../../platform/run/explain.ts';
import { LaunchFailure } from '../launch-failure.ts';

export interface UserCertificateWish {
  readonly enclave: string;
  readonly user: string;
  /** PKCS#10 DER. */
  readonly certificateRequest: Uint8Array;
  readonly grant: Uint8Array;
  readonly grantSignature: Uint8Array;
}

const USAGES = ['digital signature', 'client auth'];

/**
 * A user's certificate through a CertificateSigningRequest of the `users` signer, which is deleted when it has been read.
 * @returns the chain, DER, leaf first
 * @throws LaunchFailure `user-certificate-denied` with the certificate service's reason; other errors may pass
 */
export async function issueUserCertificate(
  kube: Kube,
  wish: UserCertificateWish,
  log: Logger,
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  const { enclave, user, certificateRequest, grant, grantSignature } = wish;
  const name = `user-${enclave.slice(0, 200)}-${randomBytes(5).toString('hex')}`;
  try {
    return await requestCertificate(
      kube,
      {
        name,
        signerName: SIGNERS.users,
        usages: USAGES,
        request: certificateRequest,
        annotations: {
          [CSR_ANNOTATIONS.enclave]: enclave,
          [CSR_ANNOTATIONS.user]: user,
          ...(grant.length > 0 && {
            [CSR_ANNOTATIONS.grant]: toBase64(grant),
            [CSR_ANNOTATIONS.grantSignature]: toBase64(grantSignature),
          }),
        },
      },
      signal,
    );
  } catch (error) {
    if (error instanceof CertificateDenied)
      throw new LaunchFailure(
        'user-certificate-denied',
        `the user’s certificate was refused: ${error.message}`,
      );
    throw error;
  } finally {
    await kube.delete(CERTIFICATE_SIGNING_REQUESTS, { name }).catch((error: unknown) => {
      // The certificate service deletes finished requests anyway.
      log.debug({ request: name, error: explain(error) }, 'the request could not be deleted');
    });
  }
}
