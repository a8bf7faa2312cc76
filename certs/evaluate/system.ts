import { type Result, success } from '../../formats/bytes/result.ts';
import {
  agentDnsName,
  COMPONENTS,
  type Component,
  componentDnsName,
  componentUser,
  serviceDnsName,
} from '../../names/components.ts';
import { type CertsCode, refuseCerts } from '../code.ts';
import type { CertificateProfile } from '../issue/profile.ts';
import { componentProfile } from '../issue/profiles.ts';
import type { ReadRequest } from './request.ts';
import { breachOfContent, breachOfUsages, extraOf } from './rules.ts';

export interface SystemSettings {
  readonly releaseNamespace: string;
  /** Public names that front's certificate has besides its own. */
  readonly frontNames: readonly string[];
}

const USAGES = ['digital signature', 'server auth', 'client auth'];

/** A node's name: an RFC 1123 subdomain, short enough for the agent's DNS name. */
const NODE_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;
const MAX_DNS_NAME = 253;

/** The DNS names of a component; an agent's has its node's. Undefined when no such certificate exists. */
export function namesOf(
  component: Component,
  node: string | undefined,
  settings: SystemSettings,
): readonly string[] | undefined {
  if (component === 'agent') {
    if (node === undefined || !NODE_NAME.test(node)) return undefined;
    const name = agentDnsName(node);
    return name.length <= MAX_DNS_NAME ? [name] : undefined;
  }
  const names = [componentDnsName(component), serviceDnsName(component, settings.releaseNamespace)];
  return component === 'front' ? [...new Set([...names, ...settings.frontNames])] : names;
}

/**
 * A component asks for its own certificate. Who it is comes from the API server (`spec.username`, and the node in `spec.extra`), never from
 * the request. The certificate service signs for itself in process, so it never asks.
 */
export function evaluateSystem(
  request: ReadRequest,
  settings: SystemSettings,
): Result<CertificateProfile, CertsCode> {
  const { object, csr } = request;
  const component = COMPONENTS.find(
    (each) => each !== 'certs' && object.username === componentUser(each, settings.releaseNamespace),
  );
  if (component === undefined)
    return refuseCerts(
      'requester-unknown',
      `${JSON.stringify(object.username)} is no component of this release`,
      'only components have certificates of this signer',
    );
  const dns = namesOf(component, extraOf(object, 'node-name'), settings);
  if (dns === undefined)
    return refuseCerts(
      'requester-node',
      "the agent's token names no node",
      'use the token that the kubelet projects into the agent’s pod (Kubernetes 1.30 or later)',
    );
  const breach =
    breachOfUsages(object, USAGES) ?? breachOfContent(request, { evidence: false, names: { dns, uri: [] } });
  if (breach !== undefined) return breach;
  return success(componentProfile(csr.spki, dns, { wishedSeconds: object.expirationSeconds }));
}
