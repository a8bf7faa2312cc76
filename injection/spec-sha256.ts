import { toHex, toUtf8 } from '../formats/bytes/bytes.ts';
import { canonicalJson } from '../formats/bytes/canonical-json.ts';
import { type Result, success } from '../formats/bytes/result.ts';
import type { Crypto } from '../formats/crypto/crypto.ts';
import type { InjectionCode } from './code.ts';
import type { InjectionConfig } from './config.ts';
import { decide } from './decide.ts';
import { applyPatch } from './json-patch.ts';
import { type Launch, launchedPod } from './launched-pod.ts';
import type { Pod, PodSpec } from './pod.ts';
import type { EnclaveProfile } from './profile.ts';
import { projection } from './projection.ts';

/** Lower-case hex SHA-256 of the RFC 8785 JSON of the projection: the statement's `specSha256` (docs/injection.md). */
export function specSha256(crypto: Crypto, spec: PodSpec): string {
  return toHex(crypto.hash('sha256', toUtf8(canonicalJson(projection(spec)))));
}

/** A pod as it stands after injection, computed offline. */
export function injectedPod(pod: Pod, config: InjectionConfig): Result<Pod, InjectionCode> {
  const decision = decide(pod, pod.metadata?.namespace ?? '', config);
  return decision.ok ? success(applyPatch(pod, decision.patch)) : decision;
}

/** What a verifier expects as `specSha256` of a launched enclave: from profile, owner key, roots and sidecar image alone. */
export function expectedSpecSha256(
  profile: EnclaveProfile,
  launch: Launch,
  config: InjectionConfig,
): Result<string, InjectionCode> {
  const pod = injectedPod(launchedPod(profile, launch), config);
  return pod.ok ? success(specSha256(config.crypto, pod.value.spec ?? {})) : pod;
}
