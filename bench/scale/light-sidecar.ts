import { EVIDENCE_ALPN } from '../../names/wire.ts';
import { readConfig } from '../../platform/config/config.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { createHealth } from '../../platform/health/health.ts';
import { serveHealth } from '../../platform/health/health-server.ts';
import { aborted } from '../../platform/run/aborted.ts';
import { systemClock, unixSeconds } from '../../platform/run/clock.ts';
import { COMMON_OPTIONS } from '../../platform/run/context.ts';
import { liveValue, mapLive } from '../../platform/run/live.ts';
import { sleep } from '../../platform/run/sleep.ts';
import { access } from '../../sidecar/access/access.ts';
import { createStandingAccess } from '../../sidecar/access/standing-access.ts';
import { agentCalls } from '../../sidecar/agent/agent-calls.ts';
import { createAgentLink } from '../../sidecar/agent/agent-link.ts';
import { obtainCredential } from '../../sidecar/life/credential.ts';
import { keepCertified } from '../../sidecar/life/keep-certified.ts';
import { lightLogger } from '../../sidecar/log/light-logger.ts';
import { lightMetrics } from '../../sidecar/metrics/light-metrics.ts';
import { SIDECAR_OPTIONS } from '../../sidecar/options.ts';
import { proxyTcp } from '../../sidecar/proxy/tcp-proxy.ts';
import { watchUpstream } from '../../sidecar/proxy/upstream-watch.ts';
import { chooseProtocol } from '../../sidecar/serve/choose-protocol.ts';
import { connectionLimits } from '../../sidecar/serve/connection-limits.ts';
import { createDataConnections, presentedBy } from '../../sidecar/serve/data-connections.ts';
import { createEnclaveListener } from '../../sidecar/serve/enclave-listener.ts';
import { createEvidenceEndpoint } from '../../sidecar/serve/evidence-endpoint.ts';
import { readSettings } from '../../sidecar/settings.ts';
import { followTrust, type Trust } from '../../sidecar/trust/follow-trust.ts';
import type { LightProcess } from './light-runtime.ts';

const CONNECTIONS = 256;

/**
 * A sidecar in tcp mode, made of the real one's parts as `sidecar/app.ts` joins them, without a process of its own: no configuration but the
 * environment, no drain, and none of what is there once a process (signals, one garbage collection after the start).
 */
export async function lightSidecar({ env, signal, write }: LightProcess): Promise<void> {
  const options = { ...COMMON_OPTIONS, ...SIDECAR_OPTIONS };
  const config = await readConfig(options, {
    argv: [],
    environment: env,
    environmentPrefix: 'ENCLAVE_SIDECAR_',
  });
  const log = lightLogger({ component: 'sidecar', level: 'info', write });
  const metrics = lightMetrics('enclave_sidecar_');
  const health = createHealth();
  const { roots, rules, serverName, upstream } = readSettings(config);
  const limits = connectionLimits(CONNECTIONS, 0, config.mode);
  const trust = liveValue<Trust>({ roots, document: undefined });
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
    clock: systemClock,
    onUsable: (usable) => (usable.ok ? trusted.ok() : trusted.fail(usable.message)),
  });
  const judge = (presented: ReturnType<typeof presentedBy>) =>
    access(nodeCrypto, presented, rules, trust.current().document, unixSeconds(systemClock));
  const evidence = createEvidenceEndpoint({
    evidence: async (socket, nonce) => {
      const credential = listener.credentialOf(socket);
      if (credential === undefined) throw new Error('this connection’s certificate was replaced');
      const bundle = await agent.quote(nonce, credential);
      return { ...bundle, endpoint: `${config.bind}:${listener.port()}`, serverName };
    },
    accessDecision: (socket) => judge(presentedBy(socket)),
    connections: limits.evidence,
    log,
    metrics,
  });
  const data = createDataConnections({
    judge,
    tokens: false,
    forward: (socket, line) => proxyTcp(socket, line, upstream, config),
    perUser: limits.perUser,
    unheld: limits.unheld,
    reserve: () => () => {},
    standing,
    log,
    metrics,
  });
  const listener = createEnclaveListener({
    host: config.bind,
    port: config.listenPort,
    maxConnections: limits.total,
    maxHandshakes: limits.handshakes,
    chooseProtocol: (offered) => chooseProtocol(offered, config.mode, config.alpn),
    onConnection: (socket, line) => {
      if (socket.alpnProtocol !== EVIDENCE_ALPN) return data.take(socket, line);
      listener.credentialOf(socket);
      return evidence.serve(socket);
    },
    onHandshakeFailure: () => undefined,
    onDropped: () => undefined,
  });
  const certified = health.check('certificate');
  const appears = health.check('upstream');
  const serving = await serveHealth(config.bind, config.healthPort, health, metrics);
  const keeping = keepCertified({
    obtain: (ends) => obtainCredential(agent, { keyType: config.keyType, serverName }, ends),
    activate: (credential) => listener.activate(credential, trust.current().roots.users),
    expire: () => listener.pause(),
    check: certified,
    log,
    metrics,
    clock: systemClock,
    elapsed: () => performance.now(),
    sleep,
    random: Math.random,
    signal,
  });
  const { podUid } = config;
  const tasks = [
    keeping,
    followTrust({ agent, trust, crypto: nodeCrypto, podUid, check: trusted, log, metrics, signal }),
    watchUpstream(upstream, config.connectTimeout, appears, signal),
  ];
  await Promise.race([Promise.all(tasks), aborted(signal)]);
  await keeping;
  listener.pause();
  await Promise.all([evidence.drain(signal), data.drain(signal)]);
  standing.close();
  link.close();
  await serving.close();
}
