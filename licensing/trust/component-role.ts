import type { Roots } from '../../formats/evidence/roots.ts';
import { OID_EKU_CLIENT_AUTH, OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { type Clock, unixSeconds } from '../../platform/run/clock.ts';
import { verifyChain } from '../../verify/certificate-chain.ts';

const USAGES = { server: OID_EKU_SERVER_AUTH, client: OID_EKU_CLIENT_AUTH } as const;

/** Judges a component's certificate (DER) beyond what TLS does: the reason why it is not this component's, or undefined. */
export type JudgeComponent = (certificate: Uint8Array | undefined) => string | undefined;

/** Role, name and usage of a component's certificate that chains to a `system` root held now. */
export function judgeComponent(
  roots: () => Roots,
  clock: Clock,
  dnsName: string,
  as: keyof typeof USAGES,
): JudgeComponent {
  return (certificate) => {
    if (certificate === undefined) return 'no certificate was shown';
    const leaf = verifyChain(nodeCrypto, [certificate], {
      roots: roots(),
      role: 'system',
      now: unixSeconds(clock),
      dnsName,
      usages: [USAGES[as]],
    });
    return leaf.ok ? undefined : leaf.message;
  };
}
