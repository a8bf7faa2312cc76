import type { Server } from 'node:https';
import { isPinned } from '../injection/pod-rules.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { obtainIdentity } from '../platform/identity/obtain-identity.ts';
import { kubeFromConfig } from '../platform/kube/kube-options.ts';
import { aborted } from '../platform/run/aborted.ts';
import type { Context } from '../platform/run/context.ts';
import { mapLive } from '../platform/run/live.ts';
import { reloadOnChange } from '../platform/tls/reload.ts';
import { serverTlsOptions } from '../platform/tls/server-options.ts';
import { EnclavePods } from './keeper/enclave-pods.ts';
import type { WEBHOOK_OPTIONS } from './options.ts';
import { followRoots } from './roots-file.ts';
import { createWebhook } from './server.ts';

/** Wires the webhook: roots, own certificate, HTTPS; then serves until the signal. */
export async function app(context: Context<typeof WEBHOOK_OPTIONS>): Promise<void> {
  const { config, log, metrics, health, signal, clock } = context;
  if (!isPinned(config.sidecarImage))
    throw new ConfigError('--sidecar-image must be pinned: name@sha256:<64 hex digits>');
  const serving = health.check('serving');
  const kube = kubeFromConfig(config);
  const roots = await followRoots(config.rootsFile, log, signal);
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
  const census = new EnclavePods({
    kube,
    release: { sidecarImages: [sidecarImage], enclaveDomain },
    signal,
    onTrouble: (error) => log.warn({ error }, 'the watch of enclave pods is interrupted'),
  });
  const tls = mapLive(identity, (credential) => ({ credential }));
  const server = createWebhook({
    config: () => ({ sidecarImage, enclaveDomain, excludedNamespaces, roots: roots.current() }),
    releaseNamespace,
    census,
    log,
    metrics,
    https: serverTlsOptions(tls.current()),
  });
  // fastify's type of `server` does not know that `https` was given.
  const stopReloading = reloadOnChange(server.server as Server, tls, (error) =>
    log.error({ error }, 'the new certificate cannot be used'),
  );
  await server.listen({ host: config.bind, port: config.port });
  log.info({ port: config.port, sidecarImage }, 'serving');
  serving.ok();
  await aborted(signal);
  stopReloading();
  await server.close();
}
