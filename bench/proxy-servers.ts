/** The proxies that are compared, each a process on core 0, with one set of certificates and the same app behind. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { encodePem } from '../formats/x509/pem.ts';
import { OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH } from '../names/oids.ts';
import { chainPem, createCredential, privateKeyPem } from '../platform/identity/credential.ts';
import { generateKey } from '../platform/identity/key-pair.ts';
import type { FakeAgent } from '../test/sidecar/fake-agent.ts';
import { podEnvironment } from '../test/sidecar/sidecar-process.ts';
import { authorities, SERVER_NAME } from '../test/sidecar/trust-fixture.ts';
import { anonymousMemory } from '../test/support/anonymous-memory.ts';
import { until } from '../test/support/until.ts';
import { NODE_FLAGS } from '../tools/images/images.ts';

export interface ProxyProcess {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Seconds of CPU so far, all threads. */
  cpu(): number;
  /** Bytes of anonymous memory. */
  anonymous(): number;
  stop(): Promise<void>;
}

export const SERVER_CORE = '0';
const CONNECTIONS = 9000;
const PORT = 8443;

/** What is not installed, as a sentence that says what to do; undefined when all is there. */
export function missingTools(): string | undefined {
  const missing = (['haproxy', 'stunnel4', 'taskset'] as const).filter((tool) => {
    try {
      execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
  return missing.length === 0
    ? undefined
    : `proxy: missing ${missing.join(', ')}; run: apt-get install --no-install-recommends haproxy stunnel4 util-linux`;
}

async function start(
  name: string,
  host: string,
  command: readonly string[],
  env?: Record<string, string>,
): Promise<ProxyProcess> {
  const child: ChildProcess = spawn('taskset', ['-c', SERVER_CORE, ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(env && { env }),
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000);
    });
  const gone = once(child, 'exit');
  await until(`${name} takes connections`, async () => {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${said}`);
    return new Promise<boolean>((resolve) => {
      const socket = connect({ host, port: PORT }, () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  });
  const proc = `/proc/${child.pid}`;
  return {
    name,
    host,
    port: PORT,
    cpu: () => {
      // Of the whole process, threads that have ended included (proc(5): utime and stime, in ticks of 10 ms).
      const fields = readFileSync(`${proc}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    anonymous: () => anonymousMemory(child.pid ?? 0),
    stop: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

export async function startSidecar(
  agent: FakeAgent,
  host: string,
  mode: 'tcp' | 'http',
  upstream: number,
  folder: string,
): Promise<ProxyProcess> {
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, 'the-token\n');
  const main = resolve('dist/sidecar/main.js');
  const env = podEnvironment({
    main,
    bind: host,
    agent,
    tokenFile,
    upstream: String(upstream),
    changes: {
      ENCLAVE_SIDECAR_MODE: mode,
      // One user may have three quarters.
      ENCLAVE_SIDECAR_MAX_CONNECTIONS: String(2 * CONNECTIONS),
      ENCLAVE_SIDECAR_LOG_LEVEL: 'warn',
    },
  });
  return start(`sidecar, ${mode}`, host, [process.execPath, ...NODE_FLAGS, main], env);
}

/** The server's certificate as the sidecar has one, and the root of the users: as files for the others. */
export function writeCertificates(folder: string): { server: string; users: string } {
  const key = generateKey();
  const der = authorities.enclaves.certify(key.spki, {
    dns: [SERVER_NAME],
    extendedKeyUsage: [OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH],
  });
  const credential = createCredential(key.privateKey, [der]);
  const [server, users] = [join(folder, 'server.pem'), join(folder, 'users.pem')];
  writeFileSync(server, `${chainPem(credential)}${privateKeyPem(credential.privateKey)}`, { mode: 0o600 });
  writeFileSync(users, encodePem('CERTIFICATE', authorities.users.root));
  return { server, users };
}

type Files = ReturnType<typeof writeCertificates>;

/** One thread, TLS 1.3, no resumption, a client certificate required. */
export async function startHaproxy(
  host: string,
  mode: 'tcp' | 'http',
  upstream: number,
  folder: string,
  { server, users }: Files,
): Promise<ProxyProcess> {
  const file = join(folder, `haproxy-${mode}.cfg`);
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn ${CONNECTIONS}
  tune.ssl.cachesize 0
defaults
  mode ${mode}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  ${mode === 'http' ? 'option http-keep-alive' : ''}
listen enclave
  bind ${host}:${PORT} ssl crt ${server} ca-file ${users} verify required ssl-min-ver TLSv1.3 no-tls-tickets alpn http/1.1
  server app 127.0.0.1:${upstream}
`,
  );
  return start(`HAProxy, ${mode}`, host, ['haproxy', '-db', '-f', file]);
}

export async function startStunnel(
  host: string,
  upstream: number,
  folder: string,
  { server, users }: Files,
): Promise<ProxyProcess> {
  const file = join(folder, 'stunnel.conf');
  writeFileSync(
    file,
    `foreground = yes
pid =
syslog = no
debug = err
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[enclave]
accept = ${host}:${PORT}
connect = 127.0.0.1:${upstream}
cert = ${server}
CAfile = ${users}
verifyChain = yes
requireCert = yes
sslVersionMin = TLSv1.3
options = NO_TICKET
sessionResume = no
TIMEOUTidle = 3600
`,
  );
  return start('stunnel', host, ['stunnel4', file]);
}
