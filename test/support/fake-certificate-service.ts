import { equal } from '../../formats/bytes/bytes.ts';
import { decodePublic, objectName, publicToSpki } from '../../formats/tpm/public.ts';
import { buildCertificate } from '../../formats/x509/certificate.ts';
import { OID_EKU_AK } from '../../names/oids.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { createHealth } from '../../platform/health/health.ts';
import { createRpcClient } from '../../platform/rpc/rpc-client.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { createRpcServer } from '../../platform/rpc/rpc-server.ts';
import { liveValue } from '../../platform/run/live.ts';
import { EnrolmentServiceService } from '../../proto/gen/enclave_licensing/enrolment/v1/enrolment_service.ts';
import { makeCredential } from '../../tpm/make-credential.ts';
import { recordingLogger } from './recording-logger.ts';
import { recordingMetrics } from './recording-metrics.ts';
import type { TestAuthorities } from './roots.ts';

const NAME = 'certs.test';

/** What it does wrong. */
export interface Behaviour {
  readonly wrongName?: boolean;
  readonly wrongKey?: boolean;
  readonly refuse?: boolean;
  /** Seconds that its certificates last; default 600. */
  readonly lifetime?: number;
}

/** A certificate service that trusts every TPM: a real server that makes real credentials. */
export async function startFakeCertificateService(authorities: TestAuthorities, behaviour: Behaviour = {}) {
  const seen: string[] = [];
  const server = createRpcServer({
    tls: liveValue({ credential: authorities.system.issue({ dns: [NAME] }) }),
    log: recordingLogger().log,
    health: createHealth(),
    metrics: recordingMetrics(),
    maxRequestBytes: 32 * 1024,
  });
  server.add(EnrolmentServiceService, {
    enrol: async function* (requests, call) {
      seen.push(call.bearerToken ?? 'none');
      if (behaviour.refuse)
        throw new RpcRefusal('PERMISSION_DENIED', {
          code: 'ek-untrusted',
          message: 'nobody knows this TPM',
          remedy: 'list it',
        });
      const steps = requests[Symbol.asyncIterator]();
      const hello = (await steps.next()).value?.step;
      if (hello?.$case !== 'hello') throw new Error('no hello');
      const ek = decodePublic(hello.value.endorsementKeyPublic);
      const ak = decodePublic(hello.value.attestationKeyPublic);
      if (!ek.ok || !ak.ok) throw new Error('no keys');
      const name = objectName(nodeCrypto, behaviour.wrongName ? ek.value : ak.value);
      const secret = new Uint8Array(32).fill(9);
      const made = name.ok ? makeCredential(ek.value, name.value, secret) : name;
      if (!made.ok) throw new Error(made.message);
      yield { step: { $case: 'challenge' as const, value: made.value } };
      const activation = (await steps.next()).value?.step;
      if (activation?.$case !== 'activation' || !equal(activation.value.secret, secret))
        throw new Error('no secret');
      const spki = publicToSpki(behaviour.wrongKey ? ek.value : ak.value);
      if (!spki.ok) throw new Error(spki.message);
      yield {
        step: {
          $case: 'certificate' as const,
          value: { certificateChain: [certificate(authorities, spki.value, behaviour.lifetime ?? 600)] },
        },
      };
    },
  });
  const port = await server.listen('127.0.0.1', 0);
  const client = createRpcClient(EnrolmentServiceService, {
    address: { host: '127.0.0.1', port },
    serverName: NAME,
    roots: liveValue<readonly Uint8Array[]>([authorities.system.root]),
    maxResponseBytes: 64 * 1024,
  });
  const close = async (): Promise<void> => {
    client.close();
    await server.close(100);
  };
  return { client, seen, close };
}

function certificate(authorities: TestAuthorities, spki: Uint8Array, lifetime: number): Uint8Array {
  const { key } = authorities['attestation-keys'];
  const now = Math.floor(Date.now() / 1000);
  return buildCertificate(
    {
      serial: new Uint8Array(16).fill(0x42),
      issuer: { commonName: 'attestation-keys' },
      subject: { commonName: 'node-1' },
      // The other side's clock may be a second behind.
      notBefore: now - 1,
      notAfter: now + lifetime,
      spki,
      extensions: {
        basicConstraints: { ca: false },
        keyUsage: ['digitalSignature'],
        extendedKeyUsage: [OID_EKU_AK],
        tpmTrust: { ekSha256: 'ab'.repeat(32), how: 'emulated' },
      },
    },
    key.sign,
    key.scheme,
  );
}
