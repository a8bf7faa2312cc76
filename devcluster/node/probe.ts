import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Container, Probe } from './pod.ts';

export type ProbeResult = { readonly ok: true } | { readonly ok: false; readonly message: string };

export interface ProbeTarget {
  readonly container: Container;
  readonly podIP: string;
  /** The node's address: where a kubelet's probes come from. */
  readonly nodeIP: string;
  /** Runs a command as the container would, at most that long; its exit code, or undefined when time was up. */
  exec(command: readonly string[], timeoutMs: number): Promise<number | undefined>;
}

/** One attempt of a probe. Never throws. */
export async function probeOnce(probe: Probe, target: ProbeTarget): Promise<ProbeResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  if (probe.httpGet) return httpProbe(probe.httpGet, target, timeoutMs);
  if (probe.tcpSocket) {
    const port = portOf(probe.tcpSocket.port, target.container);
    if (port === undefined) return failed(`no port named ${probe.tcpSocket.port}`);
    return tcpProbe(probe.tcpSocket.host ?? target.podIP, port, target.nodeIP, timeoutMs);
  }
  if (probe.exec) {
    const code = await target
      .exec(probe.exec.command ?? [], timeoutMs)
      .catch((error: unknown) => String(error));
    if (code === 0) return { ok: true };
    return failed(
      code === undefined ? `command timed out after ${timeoutMs} ms` : `command exited with ${code}`,
    );
  }
  return failed('this node knows httpGet, tcpSocket and exec probes only');
}

function failed(message: string): ProbeResult {
  return { ok: false, message };
}

function portOf(port: number | string, container: Container): number | undefined {
  if (typeof port === 'number') return port;
  const named = container.ports?.find((each) => each.name === port)?.containerPort;
  return named ?? (/^\d+$/.test(port) ? Number(port) : undefined);
}

function tcpProbe(host: string, port: number, localAddress: string, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...sourceFor(host, localAddress) });
    const end = (result: ProbeResult): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end(failed(`dial tcp ${host}:${port}: i/o timeout`)), timeoutMs);
    socket.once('connect', () => end({ ok: true }));
    socket.once('error', (error) => end(failed(`dial tcp ${host}:${port}: ${error.message}`)));
  });
}

function httpProbe(
  get: NonNullable<Probe['httpGet']>,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<ProbeResult> {
  const port = portOf(get.port, target.container);
  if (port === undefined) return Promise.resolve(failed(`no port named ${get.port}`));
  const host = get.host ?? target.podIP;
  const options = {
    host,
    port,
    path: get.path ?? '/',
    agent: false,
    headers: {
      'user-agent': 'kube-probe/1.36',
      ...Object.fromEntries((get.httpHeaders ?? []).map(({ name, value }) => [name.toLowerCase(), value])),
    },
    ...sourceFor(host, target.nodeIP),
  };
  return new Promise((resolve) => {
    // A kubelet does not check a probed container's certificate either.
    const outgoing =
      get.scheme === 'HTTPS' ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
    const end = (result: ProbeResult): void => {
      clearTimeout(timer);
      outgoing.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end(failed(`no answer within ${timeoutMs} ms`)), timeoutMs);
    outgoing.once('response', (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      end(
        status >= 200 && status < 400 ? { ok: true } : failed(`HTTP probe failed with statuscode: ${status}`),
      );
    });
    outgoing.on('error', (error) => end(failed(error.message)));
    outgoing.end();
  });
}

/** Loopback targets are dialled from the node's own address; any other by whatever route there is. */
function sourceFor(host: string, localAddress: string): { localAddress?: string } {
  return host.startsWith('127.') ? { localAddress } : {};
}
