import { rootsToJson } from '../../formats/evidence/roots.ts';
import { isPinned } from '../../injection/pinned-image.ts';
import { componentDnsName, serviceDnsName } from '../../names/components.ts';
import { MAX_RPC_REQUEST_BYTES } from '../../names/rpc-limits.ts';
import { PORTS } from '../../names/wire.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { obtainIdentity } from '../../platform/identity/obtain-identity.ts';
import { kubeFromConfig } from '../../platform/kube/kube-options.ts';
import { addressText } from '../../platform/net/address-text.ts';
import { createRpcServer } from '../../platform/rpc/rpc-server.ts';
import { aborted } from '../../platform/run/aborted.ts';
import type { Context } from '../../platform/run/context.ts';
import { liveValue } from '../../platform/run/live.ts';
import { followTrust } from '../../platform/trust/follow-trust.ts';
import { readRootsFile } from '../../platform/trust/read-roots-file.ts';
import { TrustHolder } from '../../platform/trust/trust-holder.ts';
import { LauncherServiceService } from '../../proto/gen/enclave_licensing/launcher/v1/launcher_service.ts';
import { judgeComponent } from '../trust/component-role.ts';
import { showTrust } from '../trust/show-trust.ts';
import { createTrustClient } from '../trust/trust-client.ts';
import { launcherMetrics } from './launcher-metrics.ts';
import { launcherHandlers } from './launcher-service.ts';
import type { LAUNCHER_OPTIONS } from './options.ts';
import { ClusterView } from './pods/cluster-view.ts';
import { EnclaveLocks } from './pods/enclave-locks.ts';

/** Wires the launcher: cluster view, own certificate, trust; then serves front until the signal. */
export async function app(context: Context<typeof LAUNCHER_OPTIONS>): Promise<void> {
  const { config, log, metrics, health, signal, clock } = context;
  if (!isPinned(config.sidecarImage))
    throw new ConfigError('--sidecar-image must be pinned: name@sha256:<64 hex digits>');
  const loose = config.formerSidecarImages.find((image) => !isPinned(image));
  if (loose !== undefined)
    throw new ConfigError(`--former-sidecar-images: ${loose} is not pinned: name@sha256:<64 hex digits>`);
  const trusted = health.check('trust-document');
  const serving = health.check('serving');
  const kube = kubeFromConfig(config);
  const trust = new TrustHolder(nodeCrypto, await readRootsFile(config.rootsFile));
  const identity = await obtainIdentity({
    kube,
    component: 'launcher',
    log,
    signal,
    clock,
    check: health.check('identity'),
  });
  const certsName = config.certsName ?? serviceDnsName('certs', config.releaseNamespace);
  const trustClient = createTrustClient(config.certs, certsName, trust, identity, clock, config.bind);
  trust.onChange(() => trusted.ok());
  const following = followTrust({
    client: trustClient,
    holder: trust,
    log,
    signal,
    onOffer: showTrust(metrics, trust),
  });
  const tlsNow = () => ({
    credential: identity.current(),
    clientCertificates: { mode: 'required' as const, roots: trust.systemRoots.current() },
  });
  const tls = liveValue(tlsNow());
  identity.onChange(() => tls.set(tlsNow()));
  trust.systemRoots.onChange(() => tls.set(tlsNow()));
  const server = createRpcServer({ tls, log, metrics, health, maxRequestBytes: MAX_RPC_REQUEST_BYTES });
  server.add(
    LauncherServiceService,
    launcherHandlers(
      {
        kube,
        view: new ClusterView(kube, config.namespaces, log, signal),
        locks: new EnclaveLocks(),
        releaseNamespace: config.releaseNamespace,
        namespaces: config.namespaces,
        sidecarImage: config.sidecarImage,
        formerSidecarImages: config.formerSidecarImages,
        enclaveDomain: config.enclaveDomain,
        publicEndpoint: config.publicEndpoint && addressText(config.publicEndpoint),
        requireIsolation: config.requireIsolation,
        localAddress: config.bind,
        sidecarPort: PORTS.sidecar,
        launchTimeoutMs: config.launchTimeout,
        clock,
        log,
        metrics: launcherMetrics(metrics),
        trustService: trustClient,
        roots: () => trust.roots,
        // Until a document has come, pods carry the roots that every component was started with.
        acceptsRoots: (text) =>
          trust.current === undefined ? text === rootsToJson(trust.roots) : trust.acceptsRoots(text),
      },
      judgeComponent(() => trust.roots, clock, componentDnsName('front'), 'client'),
    ),
  );
  const port = await server.listen(config.bind, config.port);
  serving.ok();
  log.info({ port, namespaces: config.namespaces }, 'serving');
  await aborted(signal);
  await server.close();
  await following;
  trustClient.close();
}
