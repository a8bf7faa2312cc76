/** What the devcluster runs for an image: each component's bundle, its digest taken over the files that make it up. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const REGISTRY = 'registry.enclave-licensing.internal';

export type ImageName =
  | 'enclave-agent'
  | 'enclave-certs'
  | 'enclave-webhook'
  | 'enclave-front'
  | 'enclave-launcher'
  | 'enclave-sidecar'
  | 'demo-app';

export interface Catalogue {
  readonly images: Readonly<Record<string, { digest: string; command: readonly string[] }>>;
}

const FOLDERS: Readonly<Record<ImageName, string>> = {
  'enclave-agent': 'agent',
  'enclave-certs': 'certs',
  'enclave-webhook': 'webhook',
  'enclave-front': 'front',
  'enclave-launcher': 'launcher',
  'enclave-sidecar': 'sidecar',
  'demo-app': 'demo-app',
};

export function catalogue(dist: string, node: string): Catalogue {
  return {
    images: Object.fromEntries(
      Object.entries(FOLDERS).map(([name, folder]) => {
        const hash = createHash('sha256');
        for (const file of readdirSync(join(dist, folder)).sort())
          hash.update(`${file}\0`).update(readFileSync(join(dist, folder, file)));
        return [
          `${REGISTRY}/${name}`,
          { digest: `sha256:${hash.digest('hex')}`, command: [node, join(dist, folder, 'main.js')] },
        ];
      }),
    ),
  };
}

/** `registry/name@sha256:...`, as a pod names it. */
export function imageReference(from: Catalogue, name: ImageName): string {
  const [repository, entry] = Object.entries(from.images).find(([key]) => key.endsWith(`/${name}`)) ?? [];
  if (entry === undefined) throw new Error(`no image ${name} in the catalogue: run make build`);
  return `${repository}@${entry.digest}`;
}
