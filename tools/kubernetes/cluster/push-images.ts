/** Images of the checkout to a registry, by skopeo: what a cluster that is not ours pulls from. */
import { REGISTRY } from '../../cluster/catalogue.ts';
import { mustRun } from '../../cluster/command.ts';
import { builtImages } from './images.ts';
import { progress } from './progress.ts';

/** To the registry that `make images` was given: REGISTRY is part of the images' names. @throws Error that says what to do */
export async function pushImages(folder: string, signal: AbortSignal): Promise<void> {
  const images = builtImages(folder);
  if (images.length === 0) throw new Error(`no images in ${folder}: run make images`);
  if (images.some(({ tag }) => tag.startsWith(`${REGISTRY}/`)))
    throw new Error(
      'say where the cluster pulls from: make cluster CLUSTER=existing REGISTRY=registry.example/path',
    );
  for (const { archive, tag } of images) {
    // Digests are what pods name: the registry must hold the very bytes. Credentials: skopeo login, as for podman.
    const args = ['copy', '--quiet', '--preserve-digests', `oci-archive:${archive}`, `docker://${tag}`];
    await mustRun('skopeo', args, { env: process.env, signal, timeoutMs: 600_000 });
    progress(`pushed ${tag}`);
  }
}
