import { readFileSync } from 'node:fs';

/** A connection over IPv4 as the kernel has it (proc_tcp(5)). */
export interface TcpEntry {
  /** address:port. */
  readonly local: string;
  readonly remote: string;
  readonly state: 'established' | 'close-wait' | 'other';
  /** The keepalive timer runs, and no other. */
  readonly keepalive: boolean;
}

const STATES: Readonly<Record<string, TcpEntry['state']>> = { '01': 'established', '08': 'close-wait' };

/** All of this machine's, of every process: to be looked up by both ends, for ports are used at many loopback addresses. */
export function tcpTable(): TcpEntry[] {
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length > 5)
    .map(([, local = '', remote = '', state = '', , timer = '']) => ({
      local: endpoint(local),
      remote: endpoint(remote),
      state: STATES[state] ?? 'other',
      keepalive: timer.startsWith('02:'),
    }));
}

/** `0100007F:20FB` is 127.0.0.1:8443: the address as a little-endian machine holds it. */
function endpoint(hex: string): string {
  const [address = '', port = ''] = hex.split(':');
  return `${Buffer.from(address, 'hex').reverse().join('.')}:${Number.parseInt(port, 16)}`;
}
