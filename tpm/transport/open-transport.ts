import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import { DeviceTransport } from './device-transport.ts';
import { SocketTransport } from './socket-transport.ts';
import type { TpmTransport } from './transport.ts';

/** Where a TPM is. */
export type TpmAddress =
  | { readonly kind: 'device'; readonly path: string }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Reads `device:/dev/tpmrm0`, `swtpm:/path/to/socket` or `swtpm:127.0.0.1:2321` (IPv6 in brackets). */
export function parseTpmAddress(text: string): Result<TpmAddress, 'tpm-address'> {
  const [, scheme, rest] = /^(device|swtpm):(.+)$/.exec(text) ?? [];
  if (rest?.startsWith('/')) return success({ kind: scheme === 'device' ? 'device' : 'unix', path: rest });
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[^:/]+):([0-9]{1,5})$/.exec(rest ?? '') ?? [];
  if (scheme === 'swtpm' && host !== undefined && Number(port) >= 1 && Number(port) <= 65535)
    return success({ kind: 'tcp', host: host.replace(/^\[|\]$/g, ''), port: Number(port) });
  return refuse(
    'tpm-address',
    `"${text}" is no TPM transport`,
    'write device:/dev/tpmrm0, swtpm:/path/to/socket or swtpm:HOST:PORT',
  );
}

/** Opens a way to the TPM. Throws TpmUnavailable, with what to look at, when there is none; TypeError for a bad address. */
export async function openTransport(text: string): Promise<TpmTransport> {
  const address = parseTpmAddress(text);
  if (!address.ok) throw new TypeError(`${address.message}: ${address.remedy}`);
  const at = address.value;
  if (at.kind === 'device') return DeviceTransport.open(at.path);
  return SocketTransport.open(
    at.kind === 'unix' ? { path: at.path } : { host: at.host, port: at.port },
    text,
  );
}
