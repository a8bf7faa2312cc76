import { ENCLAVE_LABEL } from '../names/labels.ts';
import { nodeCrypto } from '../platform/crypto/node-crypto.ts';
import { PODS } from '../platform/kube/resources.ts';
import type { RpcServer } from '../platform/rpc/rpc-server.ts';
import { unixSeconds } from '../platform/run/clock.ts';
import { EnrolmentServiceService } from '../proto/gen/enclave_licensing/enrolment/v1/enrolment_service.ts';
import { TrustServiceService } from '../proto/gen/enclave_licensing/trust/v1/trust_service.ts';
import { enrolmentHandlers } from './enrolment/enrolment-service.ts';
import type { NodeRegistry } from './enrolment/node-registry.ts';
import { launchedEnclaves, podsOfEnclave, runs } from './evaluate/living-pod.ts';
import { ownerKeys } from './evaluate/owner-keys.ts';
import type { LeadOptions } from './lead.ts';
import type { Material } from './start/material.ts';
import { trustHandlers } from './trust/trust-service.ts';

/** Adds the two services of a term: enrolment and trust. */
export function addServices(
  server: RpcServer,
  options: LeadOptions & { readonly material: Material; readonly registry: NodeRegistry },
): void {
  const { context, settings, metrics, material, registry, random, term } = options;
  const { kube } = term;
  const { clock } = context;
  const { publisher, seenTpms, sign, roots } = material;
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
      roots,
      pod: (namespace, name) => kube.get(PODS, { namespace, name }),
      ownerKeys: async (enclave) => {
        const where = podsOfEnclave(enclave);
        return where === undefined ? [] : ownerKeys(enclave, (await kube.list(PODS, where)).items, runs);
      },
      launchedEnclaves: async () =>
        launchedEnclaves((await kube.list(PODS, { labelSelector: ENCLAVE_LABEL })).items),
      now: () => unixSeconds(clock),
      holds: term.holds,
    }),
  );
}
