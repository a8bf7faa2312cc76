import { randomBytes } from 'node:crypto';
import { rootsToJson } from '../formats/evidence/roots.ts';
import { ENCLAVE_LABEL } from '../names/labels.ts';
import { MAX_RPC_REQUEST_BYTES } from '../names/rpc-limits.ts';
import { nodeCrypto } from '../platform/crypto/node-crypto.ts';
import { kubeFromConfig } from '../platform/kube/kube-options.ts';
import { PODS } from '../platform/kube/resources.ts';
import { createRpcServer } from '../platform/rpc/rpc-server.ts';
import { unixSeconds } from '../platform/run/clock.ts';
import type { Context } from '../platform/run/context.ts';
import { mapLive } from '../platform/run/live.ts';
import { EnrolmentServiceService } from '../proto/gen/enclave_licensing/enrolment/v1/enrolment_service.ts';
import { TrustServiceService } from '../proto/gen/enclave_licensing/trust/v1/trust_service.ts';
import { startController } from './controller/controller.ts';
import { createJudge } from './controller/judge.ts';
import { enrolmentHandlers } from './enrolment/enrolment-service.ts';
import { createNodeRegistry } from './enrolment/node-registry.ts';
import { isLiving, podsOfEnclave } from './evaluate/living-pod.ts';
import { ownerKeys } from './evaluate/owner-keys.ts';
import { namesOf } from './evaluate/system.ts';
import { certsMetrics } from './metrics.ts';
import type { CERTS_OPTIONS } from './options.ts';
import { readSettings } from './settings.ts';
import { keepClusterCurrent } from './start/keep-cluster-current.ts';
import { openMaterial } from './start/material.ts';
import { ownIdentity } from './start/own-identity.ts';
import { followRevokedUsers } from './trust/follow-revoked-users.ts';
import { trustHandlers } from './trust/trust-service.ts';
import { turnEpochs } from './trust/turn-epochs.ts';
import { createView } from './view.ts';

/**
 * The certificate service: authority, controller of certificate requests, enrolment, trust document. It needs nobody to start: it signs for
 * itself, and what it writes into the cluster is tried until it holds.
 */
export async function certsApp(context: Context<typeof CERTS_OPTIONS>): Promise<void> {
  const { config, log, health, signal, clock } = context;
  const settings = readSettings(config);
  const kube = kubeFromConfig(config);
  const metrics = certsMetrics(context.metrics);
  const random = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));
  const material = openMaterial({ settings, crypto: nodeCrypto, clock, random, metrics });
  const { publisher, sign, issued, seenTpms, roots } = material;
  const now = (): number => clock.now();

  const dnsNames = namesOf('certs', undefined, settings) ?? [];
  const { identity, renewals } = ownIdentity({ dnsNames, sign, now, signal });
  const registry = createNodeRegistry(kube, settings.releaseNamespace, now);
  const view = createView(settings, material, clock);
  const judge = createJudge({
    crypto: nodeCrypto,
    kube,
    registry,
    view,
    onTpm: (tpm) => seenTpms.remember(tpm),
  });

  const server = createRpcServer({
    // Agents enrol before they have a certificate: it is asked for, and each handler says whether it must be there.
    tls: mapLive(identity, (credential) => ({
      credential,
      clientCertificates: { mode: 'requested', roots: roots.system },
    })),
    log,
    metrics: context.metrics,
    health,
    maxRequestBytes: MAX_RPC_REQUEST_BYTES,
  });
  server.add(
    EnrolmentServiceService,
    enrolmentHandlers({
      crypto: nodeCrypto,
      kube,
      releaseNamespace: settings.releaseNamespace,
      registry,
      endorsements: () => ({ ...settings.readEndorsements(), now: unixSeconds(clock) }),
      sign,
      random,
      onOutcome: (outcome) => metrics.enrolments.inc({ outcome }),
      onEnrolled: (node, ekSha256) => seenTpms.enrolled(node, ekSha256),
    }),
  );
  server.add(
    TrustServiceService,
    trustHandlers({
      crypto: nodeCrypto,
      publisher,
      issued,
      roots,
      ownerKeys: async (enclave) => {
        const where = podsOfEnclave(enclave);
        return where === undefined ? [] : ownerKeys(enclave, (await kube.list(PODS, where)).items);
      },
      launchedEnclaves: async () => {
        const { items } = await kube.list(PODS, { labelSelector: ENCLAVE_LABEL });
        return new Set(items.filter(isLiving).map(({ metadata }) => metadata?.labels?.[ENCLAVE_LABEL] ?? ''));
      },
      now: () => unixSeconds(clock),
    }),
  );
  const port = await server.listen(config.bind, settings.port);
  log.info({ port, trustVersion: publisher.published.current().document.version }, 'listening');

  const controller = startController({
    kube,
    judge,
    sign,
    now,
    log,
    signal,
    onDecision: (object, outcome, message) => {
      const { signerName, username } = object.spec;
      metrics.requests.inc({ signer: signerName, outcome });
      const fields = {
        request: object.metadata?.name,
        signer: signerName,
        username,
        outcome,
        reason: message,
      };
      if (outcome === 'approved' || outcome === 'issued') log.info(fields, 'certificate request');
      else log.warn(fields, 'certificate request refused');
    },
    onCleaned: (count) => metrics.cleaned.inc({}, count),
    onRetry: (loop) => metrics.retries.inc({ loop }),
    onLength: (loop, length) => metrics.queued.set(length, { loop }),
  });
  const cluster = keepClusterCurrent({
    kube,
    log,
    health,
    signal,
    releaseNamespace: settings.releaseNamespace,
    rootsJson: rootsToJson(roots),
    systemRoots: () => publisher.published.current().document.roots.system,
    webhookConfigurations: settings.webhookConfigurations,
    now,
  });
  const epochs = turnEpochs({ publisher, health, log, signal });
  const { releaseNamespace } = settings;
  const users = followRevokedUsers({ kube, publisher, releaseNamespace, health, log, signal });
  const watching = health.check('certificate-requests');
  await controller.watch.synced;
  watching.ok();

  await Promise.all([renewals, controller.ended, cluster, epochs, users]);
  await server.close();
  kube.close();
}
