import { isPinned } from '../injection/pinned-image.ts';
import { serviceDnsName } from '../names/components.ts';
import { MAX_RPC_RESPONSE_BYTES } from '../names/rpc-limits.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { nodeCrypto } from '../platform/crypto/node-crypto.ts';
import { obtainIdentity } from '../platform/identity/obtain-identity.ts';
import { kubeFromConfig } from '../platform/kube/kube-options.ts';
import { createRpcClient } from '../platform/rpc/rpc-client.ts';
import { aborted } from '../platform/run/aborted.ts';
import type { Context } from '../platform/run/context.ts';
import { explain } from '../platform/run/explain.ts';
import { liveValue } from '../platform/run/live.ts';
import { mustBe } from '../platform/tls/component-peer.ts';
import { followTrust } from '../platform/trust/follow-trust.ts';
import { readRootsFile } from '../platform/trust/read-roots-file.ts';
import { TrustHolder } from '../platform/trust/trust-holder.ts';
import { EnrolmentServiceService } from '../proto/gen/enclave_licensing/enrolment/v1/enrolment_service.ts';
import { TrustServiceService } from '../proto/gen/enclave_licensing/trust/v1/trust_service.ts';
import { openTransport, parseTpmAddress } from '../tpm/transport/open-transport.ts';
import { TpmUnavailable } from '../tpm/transport/transport.ts';
import { measured } from './attestation/measured-transport.ts';
import { QuoteQueue } from './attestation/quote-queue.ts';
import { type AgentQuote, Quoter } from './attestation/quoter.ts';
import { createRandomPool } from './attestation/random-pool.ts';
import { TpmOwner } from './attestation/tpm-owner.ts';
import { authenticate } from './caller/authenticate.ts';
import type { PodRules } from './caller/judge-pod.ts';
import { Attestor } from './calls/attestor.ts';
import { createCalls } from './calls/calls.ts';
import type { AkCertificate } from './enrolment/ak-certificates.ts';
import { watchRetirement } from './enrolment/retirement.ts';
import { stayEnrolled } from './enrolment/stay-enrolled.ts';
import { agentMetrics } from './metrics.ts';
import type { AGENT_OPTIONS } from './options.ts';
import { IssuedCertificates } from './pods/issued-certificates.ts';
import { watchNodePods } from './pods/node-pods.ts';
import { Revoker } from './pods/revoker.ts';
import { Connections } from './serve/connections.ts';
import { routes } from './serve/router.ts';
import { serve } from './serve/server.ts';

/** The agent: owner of the node's TPM. Ends when the signal aborts. */
export async function agentApp(context: Context<typeof AGENT_OPTIONS>): Promise<void> {
  const { config, log, health, signal, clock } = context;
  // All of them before anything is waited for: readiness needs each.
  const tpmCheck = health.check('tpm');
  const identityCheck = health.check('identity');
  const enrolmentCheck = health.check('enrolment');
  const trustCheck = health.check('trust-document');
  const podsCheck = health.check('pods');
  const serverCheck = health.check('server');
  const address = parseTpmAddress(config.tpm);
  if (!address.ok) throw new ConfigError(`--tpm: ${address.message}: ${address.remedy}`);
  const loose = config.sidecarImages.find((image) => !isPinned(image));
  if (loose !== undefined) throw new ConfigError(`--sidecar-images: ${loose} is not pinned by digest`);
  if (config.maxWaitingPerPod >= config.maxWaiting)
    throw new ConfigError('--max-waiting-per-pod: one pod could fill the queue; keep it below --max-waiting');
  const crypto = nodeCrypto;
  const metrics = agentMetrics(context.metrics);
  const trust = new TrustHolder(crypto, await readRootsFile(config.rootsFile));
  const kube = kubeFromConfig(config);

  // The TPM first: it needs nobody else.
  const owner = new TpmOwner({
    open: async () =>
      measured(await openTransport(config.tpm), {
        took: (command, seconds, hung) => {
          metrics.tpmCommandSeconds.observe(seconds, { command });
          if (hung && owner.session !== undefined) tpmCheck.ok();
        },
        hangs: (command, seconds) => tpmCheck.fail(`the TPM has been at ${command} for ${seconds} s`),
      }),
    log,
    onUp: () => {
      tpmCheck.ok();
      metrics.tpmUp.set(1);
      metrics.tpmReconnects.inc();
    },
    onDown: (reason) => {
      tpmCheck.fail(reason);
      metrics.tpmUp.set(0);
    },
    onFailure: (kind) => metrics.tpmFailures.inc({ kind }),
  });
  // Requests that are under way when the drain begins still get their quote.
  const tpmEnd = new AbortController();
  const owning = owner.run(tpmEnd.signal);
  const running: Promise<void>[] = [];

  const identity = await obtainIdentity({
    kube,
    component: 'agent',
    log,
    signal,
    clock,
    check: identityCheck,
    onRenewal: ({ notAfter }) => metrics.identityNotAfter.set(notAfter),
  });

  const rpc = {
    address: config.certs,
    serverName: config.certsName ?? serviceDnsName('certs', config.releaseNamespace),
    roots: trust.systemRoots,
    credential: identity,
    localAddress: config.bind,
    judgeServer: mustBe('certs'),
  };
  const { trust: trustBytes, enrolment: enrolmentBytes } = MAX_RPC_RESPONSE_BYTES;
  const trustClient = createRpcClient(TrustServiceService, { ...rpc, maxResponseBytes: trustBytes });
  const enrolmentClient = createRpcClient(EnrolmentServiceService, {
    ...rpc,
    maxResponseBytes: enrolmentBytes,
  });
  trust.onChange(() => trustCheck.ok());
  running.push(
    followTrust({
      client: trustClient,
      holder: trust,
      log,
      signal,
      onOffer: (outcome) => {
        if (outcome.ok) metrics.trustVersion.set(outcome.value.version);
        else metrics.trustRefused.inc({ code: outcome.code });
      },
    }),
  );

  const certificates = liveValue<readonly AkCertificate[]>([]);
  const retirement = watchRetirement({ kube, node: config.node, log, signal });
  running.push(
    retirement.ended,
    stayEnrolled({
      owner,
      certificates,
      enrolment: { client: enrolmentClient, crypto },
      tokenFile: config.enrolmentTokenFile,
      roots: () => trust.roots,
      rotation: config.rotateAttestationKey,
      retired: retirement.retired,
      clock,
      log,
      metrics,
      signal,
      onState: (problem) => (problem === undefined ? enrolmentCheck.ok() : enrolmentCheck.fail(problem)),
    }),
  );

  const quoter = new Quoter(crypto);
  const queue = new QuoteQueue<AgentQuote>({
    crypto,
    maxWaiting: config.maxWaiting,
    maxWaitingPerPod: config.maxWaitingPerPod,
    metrics,
    random: createRandomPool(),
    seal: async (qualifyingData) => {
      try {
        const made = await owner.use((session) => {
          const selection = trust.current?.document.pcrSelection;
          if (selection === undefined) throw new Error('no trust document, so no PCR selection');
          return quoter.quote(session, selection, qualifyingData);
        });
        tpmCheck.ok();
        return made;
      } catch (error) {
        // The TPM may be up and still not give what the cluster wants: a bank that it does not have.
        if (!(error instanceof TpmUnavailable)) tpmCheck.fail(explain(error));
        throw error;
      }
    },
  });

  const rules: PodRules = {
    crypto,
    node: config.node,
    releaseNamespace: config.releaseNamespace,
    sidecarImages: config.sidecarImages,
    trustDomain: config.trustDomain,
    enclaveDomain: config.enclaveDomain,
    acceptsRoots: (text) => (trust.current === undefined ? undefined : trust.acceptsRoots(text)),
  };
  const connections = new Connections();
  const issued = new IssuedCertificates();
  const revoker = new Revoker({ client: trustClient, log, metrics, signal });
  const pods = watchNodePods({
    kube,
    rules,
    log,
    metrics,
    signal,
    connections,
    onEnd: ({ metadata: { uid: podUid = '', namespace = '', name: pod = '' } = {} }, how, reason) => {
      log.info({ podUid, how, reason }, 'an enclave ends, or begins to');
      connections.end(podUid, how);
      // Not yet while it is being deleted: its sidecar would cut off what is to be served to its end.
      if (how === 'terminating') return;
      const certificate = issued.take(podUid);
      // Of a pod that is gone nobody else can say what it had.
      if (how === 'gone' && certificate === undefined) return;
      revoker.revoke({ podUid, certificate: certificate ?? new Uint8Array(0), namespace, pod });
    },
    onListed: (podUids) => {
      connections.keepOnly(podUids);
      issued.keepOnly(podUids);
    },
  });
  await Promise.race([pods.synced, aborted(signal)]);
  podsCheck.ok();

  const attestor = new Attestor({ queue, certificates, trust, clock });
  const server = await serve({
    bind: config.bind,
    port: config.port,
    credential: identity,
    routes: routes(createCalls({ kube, crypto, attestor, trust, clock, issued }), trust, signal),
    connections,
    authenticate: (authorization, remoteAddress) =>
      authenticate(authorization, remoteAddress, {
        kube,
        rules,
        refusalOf: (podUid) => connections.refusalOf(podUid),
        knownPod: (namespace, name) => (pods.current() ? pods.get({ namespace, name }) : undefined),
      }),
    log,
    metrics,
  });
  serverCheck.ok();
  log.info({ port: server.port, node: config.node }, 'serving');
  await aborted(signal);
  await server.close();
  tpmEnd.abort();
  await Promise.all([...running, owning]);
  trustClient.close();
  enrolmentClient.close();
  kube.close();
}
