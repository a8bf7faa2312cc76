/** The operator's part: a profile, a policy for the users, and what `enclavectl` needs to know. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { kubectlPath } from '../../test/support/kubectl-path.ts';
import { type Catalogue, imageReference } from '../cluster/catalogue.ts';
import { ENCLAVE_NAMESPACE } from '../cluster/environment.ts';
import type { Settings } from './people.ts';

export const PROFILE = 'hello';
export const UPSTREAM = 'unix:/run/enclave/app.sock';
/** What swtpm has in every PCR that firmware would extend: nothing was measured. */
const NOTHING_MEASURED = '00'.repeat(32);
const PCRS = [0, 1, 2, 3, 4, 5, 6, 7];

/** An installation, on whatever cluster. */
interface Installation {
  readonly catalogue: Catalogue;
  /** Where its files are written. */
  readonly directory: string;
  /** host:port of front. */
  readonly frontAddress: string;
  readonly rootsFile: string;
}

export function profileObject(environment: Pick<Installation, 'catalogue'>): object {
  return {
    apiVersion: 'enclave-licensing.dev/v1alpha1',
    kind: 'EnclaveProfile',
    metadata: { name: PROFILE, namespace: ENCLAVE_NAMESPACE },
    spec: {
      image: imageReference(environment.catalogue, 'demo-app'),
      args: ['--socket', '/run/enclave/app.sock'],
      upstream: UPSTREAM,
    },
  };
}

/** Reference values, each as narrow as the demo knows it. */
export function policyObject(environment: Pick<Installation, 'catalogue'>): object {
  return {
    // The demo's TPMs are software: without this line every bundle is refused.
    allowEmulatedTpm: true,
    eks: ['any'],
    pcrs: {
      accept: 'listed',
      hash: 'sha256',
      sets: [
        {
          name: 'swtpm',
          values: Object.fromEntries(PCRS.map((pcr) => [String(pcr), [NOTHING_MEASURED]])),
        },
      ],
    },
    roots: ['any'],
    namespaces: [ENCLAVE_NAMESPACE],
    serviceAccounts: ['default'],
    enclaves: ['any'],
    images: [
      imageReference(environment.catalogue, 'enclave-sidecar'),
      imageReference(environment.catalogue, 'demo-app'),
    ],
    specSha256: ['any'],
    modes: ['tcp'],
    auth: ['mtls'],
    upstream: [UPSTREAM],
    ownerKeys: ['any'],
    maxAge: 60,
  };
}

/** Writes the policy; resolves to what enclavectl reads. */
export function writeSettings(environment: Installation): Settings {
  const policyFile = join(environment.directory, 'policy.yaml');
  writeFileSync(policyFile, stringify(policyObject(environment)));
  return {
    ENCLAVECTL_SERVER: environment.frontAddress,
    ENCLAVECTL_CA: environment.rootsFile,
    ENCLAVECTL_POLICY: policyFile,
  };
}

/** All that a second terminal needs: settings as shell assignments, `enclavectl` and `kubectl` as commands. */
export async function writeShellEnvironment(
  directory: string,
  kubeconfig: string,
  settings: Settings,
): Promise<void> {
  const commands = join(directory, 'bin');
  rmSync(commands, { recursive: true, force: true });
  mkdirSync(commands);
  const enclavectl = `#!/bin/sh\nexec '${process.execPath}' '${resolve('dist/enclavectl.js')}' "$@"\n`;
  writeFileSync(join(commands, 'enclavectl'), enclavectl, { mode: 0o755 });
  symlinkSync(await kubectlPath(), join(commands, 'kubectl'));
  const assignments = { KUBECONFIG: kubeconfig, ...settings };
  const lines = Object.entries(assignments).map(([name, value]) => `export ${name}='${value}'\n`);
  writeFileSync(join(directory, 'env'), `${lines.join('')}export PATH='${commands}':"$PATH"\n`, {
    mode: 0o600,
  });
}
