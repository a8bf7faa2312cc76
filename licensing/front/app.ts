import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { serviceDnsName } from '../../names/components.ts';
import { MAX_RPC_RESPONSE_BYTES } from '../../names/rpc-limits.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { Identity } from '../../platform/identity/identity.ts';
import { obtainIdentity } from '../../platform/identity/obtain-identity.ts';
import { kubeFromConfig } from '../../platform/kube/kube-options.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { createRpcClient } from '../../platform/rpc/rpc-client.ts';
import type { Context } from '../../platform/run/context.ts';
import { mapLive } from '../../platform/run/live.ts';
import { followTrust } from '../../platform/trust/follow-trust.ts';
import { readRootsFile } from '../../platform/trust/read-roots-file.ts';
import { TrustHolder } from '../../platform/trust/trust-holder.ts';
import { LauncherServiceService } from '../../proto/gen/enclave_licensing/launcher/v1/launcher_service.ts';
import { openStore } from '../store/open-store.ts';
import { judgeComponent } from '../trust/component-role.ts';
import { showTrust } from '../trust/show-trust.ts';
import { createTrustClient } from '../trust/trust-client.ts';
import { watchTrustAge } from '../trust/watch-trust-age.ts';
import { frontMetrics } from './front-metrics.ts';
import type { FRONT_OPTIONS } from './options.ts';
import { startPasswords } from './passwords/passwords.ts';
import { serveFront } from './serve-front.ts';
import { judgeUser } from './service/judge-user.ts';
import { Keyring } from './tokens/keyring.ts';
import { publishTokenKeys } from './tokens/publish-keys.ts';
import { createTokens } from './tokens/tokens.ts';

/** Wires front: store, passwords, tokens, own certificate, trust, launcher; then serves until the signal. */
export async function app(context: Context<typeof FRONT_OPTIONS>): Promise<void> {
  const { config, log, metrics, health, signal, clock } = context;
  const trusted = health.check('trust-document');
  const serving = health.check('serving');
  const store = await openStore(config, log, signal, health.check('store'));
  const counters = frontMetrics(metrics);
  const passwords = await startPasswords({
    onRun: counters.scryptBegun,
    logN: config.scryptLogN,
    concurrency: config.scryptConcurrency,
    queue: config.scryptQueue,
  });
  const keyring = await Keyring.open(store, {
    keyLifetimeMs: config.tokenKeyLifetime,
    tokenLifetimeMs: Math.max(config.tokenLifetime, config.enclaveTokenLifetime),
    clock,
  });
  const trust = new TrustHolder(nodeCrypto, await readRootsFile(config.rootsFile), clock);
  const identity = await obtainIdentity({
    kube: kubeFromConfig(config),
    component: 'front',
    log,
    signal,
    clock,
    check: health.check('identity'),
  });
  warnOfNames(identity, config.publicNames ?? [], log);
  const certsName = config.certsName ?? serviceDnsName('certs', config.releaseNamespace);
  const trustClient = createTrustClient(config.certs, certsName, trust, identity, clock, config.bind);
  const launcherName = config.launcherName ?? serviceDnsName('launcher', config.releaseNamespace);
  const launcher = createRpcClient(LauncherServiceService, {
    address: config.launcher,
    serverName: launcherName,
    roots: trust.systemRoots,
    credential: identity,
    localAddress: config.bind,
    maxResponseBytes: MAX_RPC_RESPONSE_BYTES.launcher,
    judgeServer: judgeComponent(() => trust.roots, clock, launcherName, 'server'),
  });
  const following = [
    followTrust({ client: trustClient, holder: trust, log, signal, onOffer: showTrust(metrics, trust) }),
    watchTrustAge({ holder: trust, limitMs: config.trustLimit, check: trusted, signal }),
    publishTokenKeys(trustClient, trust, keyring, log, signal),
  ];
  const front = await serveFront(
    {
      store,
      passwords,
      tokens: createTokens(keyring, config.tokenLifetime),
      keyring,
      launcher,
      tls: mapLive(identity, (credential) => ({ credential })),
      limits: {
        launchTimeoutMs: config.launchTimeout,
        unattendedTimeoutMs: config.unattendedTimeout,
        seats: config.seats,
        loginsPerUser: config.loginsPerUser,
        loginsPerPeer: config.loginsPerPeer,
        reconcileMs: config.reconcileInterval,
      },
      enclaveTokens: {
        lifetimeMs: config.enclaveTokenLifetime,
        domain: config.enclaveDomain,
        namespaces: config.tokenNamespaces ?? [],
      },
      trustDocument: () => trust.current?.signed,
      judgeUser: (user) =>
        judgeUser(
          { document: trust.current?.document, ageMs: trust.ageMs, limitMs: config.trustLimit },
          user,
        ),
      log,
      metrics,
      frontMetrics: counters,
      health,
      clock,
      signal,
    },
    config.bind,
    config.port,
  );
  serving.ok();
  log.info({ port: front.port }, 'serving');
  await front.ended;
  await Promise.all(following);
  launcher.close();
  trustClient.close();
  await passwords.close();
  await store.close();
}

/** Users would be refused by their own TLS: better said here, where the operator looks. */
function warnOfNames(identity: Identity, publicNames: readonly string[], log: Logger): void {
  const [leaf] = identity.current().chain;
  if (leaf === undefined) return;
  const certificate = new X509Certificate(leaf);
  for (const name of publicNames)
    if ((isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) === undefined)
      log.warn(
        { name },
        'front’s certificate lacks this public name: give the certificate service the same names',
      );
}
