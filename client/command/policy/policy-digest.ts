import { createPublicKey } from 'node:crypto';
import { DEFAULT_ENCLAVE_DOMAIN } from '../../../names/components.ts';
import { explain } from '../../../platform/run/explain.ts';
import { usage } from '../../failure.ts';
import { keySha256 } from '../../library/front/owner-key.ts';
import { enclaveDomainOf, sidecarImageOf } from '../../library/policy/expected-spec.ts';
import { readProfileFile } from '../../library/policy/profile-file.ts';
import { type Launched, specification } from '../../library/policy/specification.ts';
import { readPinnedRoots } from '../../library/trust/pinned-roots.ts';
import { readUserFile } from '../../read-user-file.ts';
import { enclaves, type Workspace } from '../workspace.ts';

export interface PolicyDigestFlags {
  readonly ownerKey?: string;
  readonly roots?: string;
  readonly sidecarImage?: string;
  readonly enclave?: string;
  readonly enclaveDomain?: string;
  readonly canonical?: boolean;
}

/**
 * `enclavectl policy digest PROFILE`: `specSha256` of the pod that a launch of this profile makes, computed offline. What is not given is taken
 * from what is kept here: the enclave, its owner key, the pinned roots, the sidecar's image in the policy.
 */
export async function policyDigest(
  workspace: Workspace,
  profile: string,
  flags: PolicyDigestFlags,
): Promise<void> {
  const launched = launchedBy(workspace, profile, flags);
  const made = specification(launched);
  if (!made.ok) throw usage(made.code, `${profile}: ${made.message}`, made.remedy);
  const { sha256, json } = made.value;
  const { enclave, ownerKeySha256, rootsText, sidecarImage, enclaveDomain } = launched;
  const rootsSha256 = readPinnedRoots(rootsText, 'roots').sha256;
  const { output } = workspace;
  if (flags.canonical === true && !output.json) {
    // Byte by byte what is hashed, without a line's end; a terminal gets a line of it.
    if (output.isTerminal) output.line(json);
    else workspace.stdout.write(json);
    return;
  }
  output.result(
    {
      ...{ ok: true, specSha256: sha256, enclave, ownerKeySha256, rootsSha256, sidecarImage, enclaveDomain },
      ...(flags.canonical === true && { canonical: json }),
    },
    [sha256],
  );
}

function launchedBy(workspace: Workspace, profile: string, flags: PolicyDigestFlags): Launched {
  const store = enclaves(workspace);
  const given = flags.ownerKey === undefined ? undefined : readOwnerKey(flags.ownerKey);
  const keyOf = (id: string) => {
    const key = store.key(id);
    return key && keySha256(key);
  };
  const kept = () =>
    store.ids().filter((id) => {
      const key = keyOf(id);
      return key !== undefined && (given === undefined || key === given);
    });
  const enclave = flags.enclave ?? only(kept());
  const ownerKeySha256 = given ?? keyOf(enclave);
  if (ownerKeySha256 === undefined)
    throw usage('owner-key-unknown', `no key of ${enclave} is kept here`, 'give --owner-key HEX|FILE');
  const serverName = store.record(enclave)?.serverName;
  return {
    enclave,
    ownerKeySha256,
    profileSpec: readProfileFile(profile),
    rootsText:
      flags.roots === undefined
        ? workspace.settings.pinned().text
        : readPinnedRoots(readUserFile(flags.roots).toString('utf8'), flags.roots).text,
    sidecarImage: flags.sidecarImage ?? policysImage(workspace),
    enclaveDomain:
      flags.enclaveDomain ??
      (serverName === undefined ? DEFAULT_ENCLAVE_DOMAIN : enclaveDomainOf(enclave, serverName)),
  };
}

function only(ids: readonly string[]): string {
  const [id] = ids;
  if (id !== undefined && ids.length === 1) return id;
  throw usage(
    'enclave-unknown',
    'the hash depends on the enclave: its id stands in the sidecar’s environment',
    'give --enclave ID',
  );
}

function policysImage({ settings }: Workspace): string {
  const image = sidecarImageOf(settings.policy());
  if (image.ok) return image.value;
  throw usage(image.code, image.message, 'give --sidecar-image NAME@sha256:DIGEST');
}

/** SHA-256 of an SPKI, as hex or of the key in a PEM file (private, public or certificate). @throws Failure */
function readOwnerKey(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  try {
    const spki = createPublicKey(readUserFile(text)).export({ type: 'spki', format: 'der' });
    return keySha256({ spki: new Uint8Array(spki) });
  } catch (error) {
    throw usage(
      'owner-key-invalid',
      `--owner-key ${text}: ${explain(error)}`,
      'give SHA-256 of the SPKI in lower-case hex, or a PEM file of the key',
    );
  }
}
