import type { Socket } from 'node:net';
import { setDefaultHighWaterMark } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { EVIDENCE_ALPN } from '../names/wire.ts';
import { nodeCrypto } from '../platform/crypto/node-crypto.ts';
import { aborted } from '../platform/run/aborted.ts';
import { unixSeconds } from '../platform/run/clock.ts';
import type { Context } from '../platform/run/context.ts';
import { liveValue, mapLive } from '../platform/run/live.ts';
import { sleep } from '../platform/run/sleep.ts';
import { access, usableTrust } from './access/access.ts';
import { accessClock } from './access/access-clock.ts';
import { createStandingAccess } from './access/standing-access.ts';
import { createTokenJudge } from './access/token.ts';
import { agentCalls } from './agent/agent-calls.ts';
import { createAgentLink } from './agent/agent-link.ts';
import { obtainCredential } from './life/credential.ts';
import { keepCertified } from './life/keep-certified.ts';
import { settleMemory } from './life/settle-memory.ts';
import { createAccessLog } from './log/access-log.ts';
import type { SIDECAR_OPTIONS } from './options.ts';
import { proxyTcp } from './proxy/tcp-proxy.ts';
import { watchUpstream } from './proxy/upstream-watch.ts';
import { chooseProtocol } from './serve/choose-protocol.ts';
import { connectionLimits } from './serve/connection-limits.ts';
import { createDataConnections, presentedBy } from './serve/data-connections.ts';
import { createEnclaveListener } from './serve/enclave-listener.ts';
import { createEvidenceEndpoint } from './serve/evidence-endpoint.ts';
import { readSettings } from './settings.ts';
import { followTrust, type Trust } from './trust/follow-trust.ts';

/** From the first certificate until starting is over, and the app's own as a rule. */
const SETTLE_MS = 2000;
/** Bytes. In http mode more streams stand one behind the other. */
const HIGH_WATER_MARK = { tcp: 16_384, http: 8192 } as const;

/** Wires the sidecar: certified and attested, it opens its port, serves evidence to all and the app to who may. */
export async function app(context: Context<typeof SIDECAR_OPTIONS>): Promise<void> {
  const { config, log, metrics, health, signal, clock } = context;
  // Between a client and the app stand several streams; each would hold 64 KB for who does not read.
  setDefaultHighWaterMark(false, HIGH_WATER_MARK[config.mode]);
  const { roots, rules, serverName, upstream } = readSettings(config);
  const { connectTimeout, idleTimeout, requestTimeout } = config;
  const limits = { connectTimeout, idleTimeout, requestTimeout };
  const places = connectionLimits(config.maxConnections, process.constrainedMemory(), config.mode);
  const trust = liveValue<Trust>({ roots, document: undefined });
  const elapsed = () => performance.now();
  // Before what else listens to the trust document: all of it is judged by this time.
  const accessTime = accessClock(clock, elapsed, trust);
  const now = () => unixSeconds(accessTime);
  const link = createAgentLink({
    host: config.agentHost,
    port: config.agentPort,
    node: config.node,
    localAddress: config.bind,
    roots: mapLive(trust, (current) => current.roots.system),
    tokenFile: config.tokenFile,
  });
  const agent = agentCalls(link);
  const trusted = health.check('trust-document');
  const standing = createStandingAccess({
    rules,
    trust,
    clock: accessTime,
    onUsable: (usable) => (usable.ok ? trusted.ok() : trusted.fail(`${usable.message} (${usable.code})`)),
  });
  const judge = (presented: ReturnType<typeof presentedBy>) =>
    access(nodeCrypto, presented, rules, trust.current().document, now());
  const judgeToken = createTokenJudge(serverName);
  const judgeBearer = async (token: string | undefined) => {
    const usable = usableTrust(trust.current().document, rules, now());
    return usable.ok ? judgeToken(token, usable.value, now()) : usable;
  };

  const evidence = createEvidenceEndpoint({
    evidence: async (socket, nonce) => {
      const credential = listener.credentialOf(socket);
      if (credential === undefined)
        throw new Error('this connection’s certificate was replaced: connect again');
      const bundle = await agent.quote(nonce, credential);
      const host = config.bind.includes(':') ? `[${config.bind}]` : config.bind;
      return { ...bundle, endpoint: `${host}:${listener.port()}`, serverName };
    },
    accessDecision: (socket, token) => {
      const judged = judge(presentedBy(socket));
      return judged.ok || config.auth !== 'jwt' ? judged : judgeBearer(token);
    },
    connections: places.evidence,
    log,
    metrics,
  });
  const tokenRefusals = metrics.counter('token_refusals_total', 'Requests refused by their token.', ['code']);
  // Loaded only where it is used: HTTP/2 alone is more memory than all that tcp mode needs.
  const load = config.mode === 'http' ? import('./proxy/http/http-proxy.ts') : undefined;
  const http = (await load)?.createHttpProxy({
    enclave: config.enclave,
    upstream,
    limits,
    memory: places.memory,
    audience: serverName,
    judgeToken: judgeBearer,
    standing,
    onLetIn: (socket) => data.letIn(socket),
    onRefused: (code, reason) => {
      tokenRefusals.inc({ code });
      log.info({ code, reason }, 'request refused');
    },
    log,
    accessLog: config.accessLog === 'on' ? createAccessLog() : undefined,
    metrics,
  });
  const data = createDataConnections({
    judge,
    tokens: config.auth === 'jwt',
    forward: (socket, line, allowed) =>
      http?.serve(socket, allowed) ?? proxyTcp(socket, line, upstream, limits),
    perUser: places.perUser,
    unheld: places.unheld,
    reserve: (who) => (http === undefined ? () => {} : http.reserve(who)),
    standing,
    log,
    metrics,
  });
  const failures = metrics.counter('handshake_failures_total', 'TLS handshakes that failed.');
  const dropped = metrics.counter(
    'connections_dropped_total',
    'Closed unheard: --max-connections were open.',
  );
  const listener = createEnclaveListener({
    host: config.bind,
    port: config.listenPort,
    maxConnections: places.total,
    maxHandshakes: places.handshakes,
    chooseProtocol: (offered) => chooseProtocol(offered, config.mode, config.alpn),
    onConnection: (socket: TLSSocket, line: Socket) => {
      if (socket.alpnProtocol !== EVIDENCE_ALPN) return data.take(socket, line);
      // Known from now on, whatever serves by the time it is asked for.
      listener.credentialOf(socket);
      return evidence.serve(socket);
    },
    onHandshakeFailure: (error) => {
      failures.inc();
      log.debug({ reason: error.message }, 'handshake failed');
    },
    onDropped: () => dropped.inc(),
  });
  const certified = health.check('certificate');
  let settling: NodeJS.Timeout | undefined;
  const keeping = keepCertified({
    obtain: (ends) => obtainCredential(agent, { keyType: config.keyType, serverName }, ends),
    activate: async (credential) => {
      await listener.activate(credential, trust.current().roots.users);
      settling ??= setTimeout(settleMemory, SETTLE_MS).unref();
    },
    expire: () => listener.pause(),
    check: certified,
    log,
    metrics,
    clock,
    elapsed,
    sleep,
    random: Math.random,
    signal,
  });
  // To the end of the drain: who is revoked meanwhile is cut off meanwhile.
  const drained = new AbortController();
  const tasks = [
    keeping,
    followTrust({
      agent,
      trust,
      crypto: nodeCrypto,
      podUid: config.podUid,
      check: trusted,
      log,
      metrics,
      signal: drained.signal,
    }),
    watchUpstream(upstream, config.connectTimeout, health.check('upstream'), signal),
  ];
  try {
    await Promise.race([Promise.all(tasks), aborted(signal)]);
    // A renewal that is under way ends with the signal; only then is it certain that nothing opens the port again.
    await keeping;
    clearTimeout(settling);
    // Draining: nothing new, what runs may end.
    listener.pause();
    http?.drain();
    const deadline = AbortSignal.timeout(Math.max(0, config.shutdownTimeout - 2000));
    await Promise.all([evidence.drain(deadline), data.drain(deadline)]);
  } finally {
    drained.abort();
  }
  http?.close();
  standing.close();
  link.close();
}
