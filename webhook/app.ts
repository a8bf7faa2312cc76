import { randomUUID } from 'node:crypto';
import type { Server } from 'node:https';
import { hostname } from 'node:os';
import { success } from '../formats/bytes/result.ts';
import { parseRoots } from '../formats/evidence/roots.ts';
import { isPinned } from '../injection/pinned-image.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { nodeCrypto } from '../platform/crypto/node-crypto.ts';
import { obtainIdentity } from '../platform/identity/obtain-identity.ts';
import { kubeFromConfig } from '../platform/kube/kube-options.ts';
import { aborted } from '../platform/run/aborted.ts';
import type { Context } from '../platform/run/context.ts';
import { sleep } from '../platform/run/sleep.ts';
import { reloadOnChange } from '../platform/tls/reload.ts';
import { serverTlsOptions } from '../platform/tls/server-options.ts';
import { followCallers } from './follow-callers.ts';
import { followFile } from './follow-file.ts';
import { ClusterCopy } from './keeper/cluster-copy.ts';
import { runKeeper } from './keeper/keeper.ts';
import { keeperMetrics } from './keeper/keeper-metrics.ts';
import type { WEBHOOK_OPTIONS } from './options.ts';
import { createWebhook } from './server.ts';
import { servingTls } from './serving-tls.ts';

const KEEPER_END_MS = 2_500;

/** Wires the webhook: roots, callers, own certificate, HTTPS; then serves until the signal. */
export async function app(context: Context<typeof WEBHOOK_OPTIONS>): Promise<void> {
  const { config, log, metrics, health, signal, clock } = context;
  if (!isPinned(config.sidecarImage))
    throw new ConfigError('--sidecar-image must be pinned: name@sha256:<64 hex digits>');
  const loose = config.formerSidecarImages.find((image) => !isPinned(image));
  if (loose !== undefined)
    throw new ConfigError(`--former-sidecar-images: ${loose} is not pinned: name@sha256:<64 hex digits>`);
  if (config.clientNames.length > 0 && config.clientCaFile === undefined)
    throw new ConfigError('--client-names needs --client-ca-file');
  if (config.drainDelay >= config.shutdownTimeout)
    throw new ConfigError('--drain-delay must be shorter than --shutdown-timeout');
  const serving = health.check('serving');
  const kube = kubeFromConfig(config);
  const roots = await followFile({
    path: config.rootsFile,
    what: 'roots',
    parse: (text) => {
      const parsed = parseRoots(text);
      return parsed.ok ? success(text) : parsed;
    },
    log,
    signal,
  });
  const callers = await followCallers(config, () => clock.now(), log, signal);
  const identity = await obtainIdentity({
    kube,
    component: 'webhook',
    log,
    signal,
    clock,
    check: health.check('identity'),
  });
  const { sidecarImage, enclaveDomain, releaseNamespace } = config;
  const excludedNamespaces = [...new Set([releaseNamespace, ...config.excludedNamespaces])];
  // Ends after the last review, not when the drain begins.
  const served = new AbortController();
  const copy = new ClusterCopy({
    kube,
    release: { sidecarImages: [sidecarImage, ...config.formerSidecarImages], enclaveDomain },
    excludedNamespaces,
    log,
    signal: served.signal,
  });
  // Beside the reviews, never on their path: whatever happens to it, they are answered.
  const keeping = runKeeper({
    kube,
    copy,
    releaseNamespace,
    identity: `${hostname()}_${randomUUID()}`,
    roots,
    localAddress: config.bind,
    log,
    metrics: keeperMetrics(metrics),
    clock,
    signal,
  });
  const tls = servingTls(identity, callers?.clientRoots);
  const server = createWebhook({
    config: () => ({
      crypto: nodeCrypto,
      sidecarImage,
      enclaveDomain,
      excludedNamespaces,
      roots: roots.current(),
    }),
    releaseNamespace,
    census: copy.pods,
    log,
    metrics,
    https: serverTlsOptions(tls.current()),
    draining: signal,
    ...(callers && { callers }),
  });
  // fastify's type of `server` does not know that `https` was given.
  const stopReloading = reloadOnChange(server.server as Server, tls, (error) =>
    log.error({ error }, 'the new certificate cannot be used'),
  );
  await server.listen({ host: config.bind, port: config.port });
  log.info({ port: config.port, sidecarImage, callers: callers ? 'judged' : 'anybody' }, 'serving');
  serving.ok();
  await aborted(signal);
  // Not ready any more; until that has reached every API server, reviews still come here.
  await sleep(config.drainDelay);
  stopReloading();
  await server.close();
  served.abort();
  // An API server that is away must not hold up the end.
  await Promise.race([keeping, sleep(KEEPER_END_MS)]);
}
