import { type Result, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import type { Component } from '../../names/components.ts';
import { type ComponentPeer, componentPeer } from '../../platform/tls/component-peer.ts';
import { verifyChain } from '../../verify/certificate-chain.ts';
import { type CertsCode, refuseCerts } from '../code.ts';

/** Components that have business with the trust document; the certificate service calls nobody. */
const CALLERS: ReadonlySet<Component> = new Set(['agent', 'webhook', 'front', 'launcher']);

/**
 * Which component calls. TLS has checked the chain when the connection began; it is checked again for each call, because a connection may
 * outlive the certificate that it began with.
 * @param certificate DER; undefined when none was shown, or none that chains to our roots
 * @param now unix seconds
 */
export function identifyCaller(
  crypto: Crypto,
  certificate: Uint8Array | undefined,
  roots: Roots,
  now: number,
): Result<ComponentPeer, CertsCode> {
  const peer = componentPeer(certificate);
  if (!peer.ok) return refuseCerts('caller-unknown', peer.message, peer.remedy);
  const chain = verifyChain(crypto, certificate === undefined ? [] : [certificate], {
    roots,
    role: 'system',
    now,
  });
  if (!chain.ok) return refuseCerts('caller-unknown', chain.message, chain.remedy);
  if (!CALLERS.has(peer.value.component))
    return refuseCerts(
      'caller-role',
      `${peer.value.component} is no caller`,
      'call with another component’s own',
    );
  return success(peer.value);
}
