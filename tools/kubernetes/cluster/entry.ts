/** The way in to enclaves from outside: HAProxy on the control plane's machine, which forwards TLS by server name and holds no key. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_ENCLAVE_DOMAIN, ENCLAVES_SERVICE } from '../../../names/components.ts';
import { PORTS } from '../../../names/wire.ts';
import { ENCLAVE_NAMESPACE } from '../../cluster/environment.ts';
import { CONTROL_ADDRESS, DNS_UPSTREAM, ENTRY_PORT, type Layout } from './layout.ts';
import { INSIDE, startProgram } from './machine.ts';

/** As docs/licensing.md shows operators, for the namespace of the demo's profile. */
const CONFIGURATION = `defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
resolvers cluster
  nameserver dns ${DNS_UPSTREAM}
  hold valid 1s
frontend enclaves
  bind ${CONTROL_ADDRESS}:${ENTRY_PORT}
  tcp-request inspect-delay 5s
  tcp-request content set-var(txn.id) req.ssl_sni,field(1,.) if { req.ssl_sni -m end .${DEFAULT_ENCLAVE_DOMAIN} }
  tcp-request content do-resolve(txn.pod,cluster,ipv4) var(txn.id),concat(.${ENCLAVES_SERVICE}.${ENCLAVE_NAMESPACE}.svc.cluster.local) if { var(txn.id) -m found }
  tcp-request content reject unless { var(txn.pod) -m found }
  tcp-request content set-dst var(txn.pod)
  tcp-request content set-dst-port int(${PORTS.sidecar})
  default_backend enclave
backend enclave
  server pod 0.0.0.0:0
`;

export function startEntry({ control }: Layout): void {
  writeFileSync(join(control.folder, 'haproxy.cfg'), CONFIGURATION);
  startProgram(control, 'haproxy', ['haproxy', '-db', '-f', `${INSIDE}/haproxy.cfg`]);
}
