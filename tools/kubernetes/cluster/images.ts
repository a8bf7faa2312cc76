/** Images of the checkout in the nodes' own stores: nothing is pulled. */
import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Catalogue } from '../../cluster/catalogue.ts';
import { mustRun } from '../../cluster/command.ts';
import { BUSYBOX, type ClusterNode } from './layout.ts';
import { INSIDE } from './machine.ts';
import { ctr } from './node.ts';

/** What `make images` writes beside the archives. */
interface BuiltImage {
  /** `<registry>/<image>@sha256:...` */
  readonly reference: string;
  /** `<registry>/<image>:<version>` */
  readonly tag: string;
  /** `sha256:...` of the manifest. */
  readonly digest: string;
}

/** Names and archives of what `make images` built; empty where it has not run. */
export function builtImages(folder: string): (BuiltImage & { readonly archive: string })[] {
  const index = join(folder, 'images.json');
  if (!existsSync(index)) return [];
  const images = JSON.parse(readFileSync(index, 'utf8')) as Record<string, BuiltImage>;
  return Object.entries(images).map(([name, image]) => ({ ...image, archive: join(folder, `${name}.tar`) }));
}

/** The same by repository, as pods' references are made from it. */
export function builtCatalogue(folder: string): Catalogue {
  const images = builtImages(folder);
  if (images.length === 0) throw new Error(`no images in ${folder}: run make images`);
  return {
    images: Object.fromEntries(
      images.map(({ reference, digest }) => [
        reference.slice(0, reference.indexOf('@')),
        { digest, command: [] },
      ]),
    ),
  };
}

/** The image of sandboxes and ordinary pods. */
export async function loadBusybox(nodes: readonly ClusterNode[], folder: string): Promise<void> {
  const archive = join(folder, 'busybox.tar');
  await mustRun('bash', [join(import.meta.dirname, 'oci-archive.sh'), BUSYBOX, archive]);
  await load(nodes, archive);
  rmSync(archive);
}

/** Imports what `make images` built, under its tag and under its digest: pods name the latter. */
export async function loadImages(nodes: readonly ClusterNode[], folder: string): Promise<number> {
  const images = builtImages(folder);
  for (const image of images) await importImage(nodes, image);
  return images.length;
}

/** One image, under its tag and under its digest. */
export async function importImage(
  nodes: readonly ClusterNode[],
  { archive, reference, tag }: Pick<BuiltImage, 'reference' | 'tag'> & { readonly archive: string },
): Promise<void> {
  await load(nodes, archive);
  await Promise.all(nodes.map((node) => ctr(node, 'images', 'tag', '--force', tag, reference)));
}

async function load(nodes: readonly ClusterNode[], archive: string): Promise<void> {
  await Promise.all(
    nodes.map(async (node) => {
      // The checkout may be hidden from the machine; its own folder is not.
      const copy = join(node.folder, 'image.tar');
      copyFileSync(archive, copy);
      await ctr(node, 'images', 'import', `${INSIDE}/image.tar`);
      rmSync(copy);
    }),
  );
}
