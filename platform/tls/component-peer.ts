import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { COMPONENTS, type Component, INTERNAL_DOMAIN } from '../../names/components.ts';
import { OID_EKU_COMPONENT } from '../../names/oids.ts';

export type PeerCode = 'peer-no-certificate' | 'peer-not-a-component' | 'peer-unknown-component';

/** A component, as its certificate says. */
export interface ComponentPeer {
  readonly component: Component;
  /** Of an agent. */
  readonly node?: string;
  readonly dnsNames: readonly string[];
}

/**
 * Which component a peer is. The chain to a `system` root is TLS's to have checked; here it is the role (extended key usage) and the names.
 * @param certificate DER, as `call.peer.certificate` and `peerCertificate` give it
 */
export function componentPeer(certificate: Uint8Array | undefined): Result<ComponentPeer, PeerCode> {
  if (certificate === undefined)
    return refuse(
      'peer-no-certificate',
      'no client certificate was shown',
      'call with a component certificate',
    );
  const parsed = parseCertificate(certificate);
  if (!parsed.ok || !parsed.value.extensions.extendedKeyUsage?.includes(OID_EKU_COMPONENT))
    return refuse(
      'peer-not-a-component',
      "the peer's certificate is not a component's",
      'use a certificate that the system issuer signed for a component',
    );
  const dnsNames = parsed.value.extensions.subjectAltName?.dns ?? [];
  for (const name of dnsNames) {
    const component = COMPONENTS.find((each) => each !== 'agent' && name === `${each}.${INTERNAL_DOMAIN}`);
    if (component !== undefined) return success({ component, dnsNames });
    const node = agentNode(name);
    if (node !== undefined) return success({ component: 'agent', node, dnsNames });
  }
  return refuse(
    'peer-unknown-component',
    `no component has the name ${dnsNames.join(', ')}`,
    'see names/components.ts',
  );
}

/** Judges a server's certificate (DER), as `judgeServer` of the clients here: a reason to refuse unless it is this component's. */
export function mustBe(component: Component): (certificate: Uint8Array) => string | undefined {
  return (certificate) => {
    const peer = componentPeer(certificate);
    if (!peer.ok) return peer.message;
    return peer.value.component === component
      ? undefined
      : `the peer is ${peer.value.component}, not ${component}`;
  };
}

function agentNode(name: string): string | undefined {
  const [prefix, suffix] = ['agent.', `.${INTERNAL_DOMAIN}`];
  const node = name.slice(prefix.length, -suffix.length);
  return name.startsWith(prefix) && name.endsWith(suffix) && node !== '' && agentNameFits(name, node)
    ? node
    : undefined;
}

/** `agent.enclave-licensing.internal` overlaps prefix and suffix: no node. */
function agentNameFits(name: string, node: string): boolean {
  return name === `agent.${node}.${INTERNAL_DOMAIN}`;
}
