import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { sidecarEnvironment } from '../../injection/template.ts';
import { NODE_FLAGS } from '../../tools/images/images.ts';
import { ENCLAVE, keySha256, NODE, owner, rootsText, SERVER_NAME } from './trust-fixture.ts';

export interface SidecarProcessOptions {
  /** The bundle's main.js. */
  readonly main: string;
  /** The pod's address. */
  readonly bind: string;
  readonly agent: { readonly host: string; readonly port: number };
  readonly upstream: string;
  readonly tokenFile: string;
  /** Of its environment, over what injection writes. */
  readonly changes?: Readonly<Record<string, string>>;
  /** What stands before the bundle on the command line; default: this Node, with the image's flags. */
  readonly command?: readonly string[];
  readonly cwd?: string;
}

export interface SidecarProcess {
  readonly child: ChildProcess;
  /** Resolves with exit code and signal. */
  readonly gone: Promise<unknown[]>;
  /** All that it wrote so far. */
  said(): string;
}

/** What injection writes into the sidecar's environment for this pod. */
export function podEnvironment(options: SidecarProcessOptions): Record<string, string> {
  const fields: Record<string, string> = {
    'status.podIP': options.bind,
    'status.hostIP': options.agent.host,
    'spec.nodeName': NODE,
    'metadata.uid': 'u',
  };
  const env: Record<string, string> = {};
  for (const { name, value, valueFrom } of sidecarEnvironment({
    enclave: ENCLAVE,
    enclaveDomain: SERVER_NAME.slice(ENCLAVE.length + 1),
    ownerKeySha256: keySha256(owner),
    mode: 'tcp',
    upstream: options.upstream,
    auth: 'mtls',
    alpn: 'h2,http/1.1',
    keyType: 'p256',
    certificateLifetime: '24h',
    roots: rootsText,
  })) {
    const path = /"fieldPath":"([^"]+)"/.exec(JSON.stringify(valueFrom ?? {}))?.[1];
    env[name] = value ?? fields[path ?? ''] ?? '';
  }
  env['ENCLAVE_SIDECAR_TOKEN_FILE'] = options.tokenFile;
  env['ENCLAVE_SIDECAR_AGENT_PORT'] = String(options.agent.port);
  return { ...env, ...options.changes };
}

/** The sidecar as it is shipped: one bundle, configured by nothing but the environment that injection writes. */
export function startSidecarProcess(options: SidecarProcessOptions): SidecarProcess {
  const [file = process.execPath, ...args] = options.command ?? [process.execPath, ...NODE_FLAGS];
  const child: ChildProcess = spawn(file, [...args, options.main], {
    env: podEnvironment(options),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
  return { child, gone: once(child, 'exit'), said: () => said };
}
