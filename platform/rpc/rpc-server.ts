import { Server, type ServiceDefinition, type UntypedHandleCall } from '@grpc/grpc-js';
import { ServerReflectionService } from '../../proto/gen/grpc/reflection/v1/reflection.ts';
import { HealthService } from '../../proto/gen/health/v1/health.ts';
import type { Health } from '../health/health.ts';
import type { Logger } from '../log/logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { addressText } from '../net/address-text.ts';
import type { Live } from '../run/live.ts';
import type { ServerTls } from '../tls/server-options.ts';
import { type HandlingContext, handleCall } from './handle-call.ts';
import { healthHandlers } from './health-service.ts';
import { reflectionHandlers } from './reflection-service.ts';
import { LiveServerCredentials } from './server-credentials.ts';
import type { Handlers, Service } from './service.ts';

/** The same messages under the name that older tools ask for. */
const REFLECTION_V1ALPHA = {
  serverReflectionInfo: {
    ...ServerReflectionService.serverReflectionInfo,
    path: '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo' as const,
  },
};

export interface RpcServerOptions {
  /**
   * Certificate, and who may connect: `clientCertificates` absent, `required`, or `requested` (then a caller without one gets in, and each handler decides by
   * `call.peer.certificate` or `call.bearerToken`).
   */
  readonly tls: Live<ServerTls>;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** What grpc.health.v1 answers; absent: SERVING as long as the server lives. */
  readonly health?: Health;
  /** Of a request; answers have the client's limit. */
  readonly maxRequestBytes: number;
  /** Descriptors are public in this repository; absent: true. */
  readonly reflection?: boolean;
  /** Streams and calls at once on one connection. */
  readonly maxConcurrentCalls?: number;
}

export interface RpcServer {
  /** Before `listen`. */
  add<S extends Service>(service: S, handlers: Handlers<S>): void;
  /** The port that was bound. @throws when it cannot be had */
  listen(host: string, port: number): Promise<number>;
  /** Refuses new calls, waits for those under way up to `graceMs`, then cancels them. */
  close(graceMs?: number): Promise<void>;
}

/** A gRPC server with TLS 1.3, health and reflection, whose handlers can throw whatever they like: the process goes on. */
export function createRpcServer(options: RpcServerOptions): RpcServer {
  const server = new Server({
    'grpc.max_receive_message_length': options.maxRequestBytes,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': options.maxConcurrentCalls ?? 256,
    // Callers keep long streams (trust, launch): dead peers are found, idle ones are not cut off.
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  const ended = new AbortController();
  const context: HandlingContext = {
    log: options.log,
    ended: ended.signal,
    seconds: options.metrics.histogram('rpc_seconds', 'Time of gRPC calls served', ['method', 'status']),
  };
  const credentials = new LiveServerCredentials(options.tls, (error) =>
    options.log.error({ error }, 'the new certificate or trust set was not taken'),
  );
  const services: string[] = [];
  const add = <S extends Service>(service: S, handlers: Handlers<S>): void => {
    const implementation: Record<string, UntypedHandleCall> = {};
    for (const [name, method] of Object.entries(service)) {
      const handler: unknown = handlers[name];
      if (typeof handler !== 'function') throw new Error(`${method.path} has no handler`);
      implementation[name] = handleCall(
        method,
        handler as (request: unknown, call: unknown) => unknown,
        context,
      );
      const serviceName = method.path.split('/')[1] ?? '';
      if (!services.includes(serviceName)) services.push(serviceName);
    }
    server.addService(service as unknown as ServiceDefinition, implementation);
  };
  return {
    add,
    listen: (host, port) => {
      const names = (): readonly string[] => services;
      add(HealthService, healthHandlers(options.health, names));
      if (options.reflection !== false) {
        const { serverReflectionInfo } = reflectionHandlers(names);
        add(ServerReflectionService, { serverReflectionInfo });
        add(REFLECTION_V1ALPHA, { serverReflectionInfo });
      }
      return new Promise((resolve, reject) => {
        const address = addressText({ host, port });
        server.bindAsync(address, credentials, (error, bound) => {
          if (error) reject(listenError(error, host, port));
          else resolve(bound);
        });
      });
    },
    close: (graceMs = 10_000) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.forceShutdown(), graceMs);
        // Streams that live as long as the process (watches) end now; the others may finish.
        ended.abort();
        credentials.stop();
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

function listenError(error: Error, host: string, port: number): Error {
  const code = /EADDRINUSE|EADDRNOTAVAIL|EACCES/.exec(error.message)?.[0];
  return code === undefined ? error : Object.assign(new Error(error.message), { code, address: host, port });
}
