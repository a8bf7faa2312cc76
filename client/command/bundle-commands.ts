import { resolve } from 'node:path';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { chainPem, privateKeyPem } from '../../platform/identity/credential.ts';
import { usage } from '../failure.ts';
import { describeBundle } from '../library/bundle/describe-bundle.ts';
import { exportBundle, exportCredential } from '../library/bundle/export-bundle.ts';
import { heldTrust } from '../library/trust/trust.ts';
import { bundleLines } from './terminal/print-bundle.ts';
import { readBundle } from './verify-command.ts';
import { enclaves, trustStore, type Workspace } from './workspace.ts';

export interface BundleFlags {
  readonly enclave?: string;
  readonly bundle?: string;
  readonly credentials?: string;
}

/** `enclavectl bundle show`: what a bundle says, unverified. */
export async function showBundle(workspace: Workspace, flags: BundleFlags): Promise<void> {
  const described = describeBundle(chosen(workspace, flags).bundle);
  workspace.output.result(described, bundleLines(described));
}

/**
 * `enclavectl bundle export DIR`: each part as a file in its standard format, and what verifies them without our code; the user's key and
 * certificate too when the enclave is the user's.
 */
export async function exportFiles(
  workspace: Workspace,
  directory: string,
  flags: BundleFlags,
): Promise<void> {
  const { output, settings } = workspace;
  const { bundle, enclave } = chosen(workspace, flags);
  const pinned = settings.pinned();
  const files = exportBundle(directory, bundle, {
    trust: heldTrust(pinned, trustStore(workspace, pinned)),
    policy: settings.policyIfNamed(),
    now: workspace.now(),
  });
  const store = enclaves(workspace);
  const key = enclave === undefined ? undefined : store.key(enclave);
  const chain = enclave === undefined ? undefined : store.certificate(enclave);
  const folder = flags.credentials ?? directory;
  if (key !== undefined && chain !== undefined)
    exportCredential(folder, { keyPem: privateKeyPem(key.privateKey), certificatePem: chainPem({ chain }) });
  else if (flags.credentials !== undefined)
    throw usage(
      'credentials-unknown',
      'there is no key and certificate of yours for this enclave',
      'enclavectl certificate ID',
    );
  const credentials = key !== undefined && chain !== undefined ? resolve(folder) : null;
  output.result({ ok: true, directory: resolve(directory), files, credentials }, [
    ...files.map((name) => `${directory}/${name}`),
    ...(credentials === null ? [] : [`${folder}/user-key.pem`, `${folder}/user-certificate.pem`]),
  ]);
}

/** `--bundle FILE`, `--enclave ID`, or the one enclave that there is. */
function chosen(workspace: Workspace, flags: BundleFlags): { bundle: Bundle; enclave?: string } {
  if (flags.bundle !== undefined) {
    const bundle = readBundle(flags.bundle);
    return { bundle, ...(flags.enclave !== undefined && { enclave: flags.enclave }) };
  }
  const store = enclaves(workspace);
  const held = store.ids().filter((id) => store.bundle(id) !== undefined);
  const enclave = flags.enclave ?? (held.length === 1 ? held[0] : undefined);
  if (enclave === undefined)
    throw usage(
      'enclave-ambiguous',
      held.length === 0 ? 'no bundle is held here' : `several bundles are held here: ${held.join(', ')}`,
      'give --enclave ID or --bundle FILE',
    );
  const bundle = store.bundle(enclave);
  if (bundle === undefined)
    throw usage(
      'bundle-unknown',
      `no bundle of ${enclave} is held here`,
      'enclavectl status ID --verify fetches one',
    );
  return { bundle, enclave };
}
