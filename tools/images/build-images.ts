import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { VERSION } from '../../names/version.ts';
import type { Contents } from '../bundle.ts';
import { type Architecture, architecture } from './architecture.ts';
import { archive } from './archive.ts';
import { base } from './base.ts';
import { cacheFolder } from './cache-folder.ts';
import { component } from './component.ts';
import { IMAGES } from './images.ts';
import { layer } from './layer.ts';
import { sbom } from './sbom.ts';
import { selfCheck } from './self-check.ts';
import { labelsOf, source } from './source.ts';
import type { Tree } from './tree.ts';
import { writeTree } from './write-tree.ts';

const OUTPUT = 'dist/images';
/** A reference without its last part (OCI distribution specification 1.1, section "Pulling manifests"; the host as Docker has it). */
const REGISTRY = /^[a-z0-9]+([.-][a-z0-9]+)*(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/;
/** Becomes the other when all of it is there and has run. */
const UNFINISHED = 'dist/images.unfinished';

/**
 * Writes dist/images: an archive and an SBOM an image, the file trees that went into them, their digests, and the chart's values. Ends with each program
 * having run in its own file tree, where it can run here.
 */
export async function buildImages(
  registry: string,
  arch: Architecture,
  log: (line: string) => void,
): Promise<void> {
  if (!REGISTRY.test(registry))
    throw new Error(
      `REGISTRY=${registry} is no host with an optional path, such as registry.example/enclave`,
    );
  const cache = cacheFolder();
  const contents: Record<string, Contents[]> = JSON.parse(readFileSync('dist/contents.json', 'utf8'));
  for (const folder of [OUTPUT, UNFINISHED]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(UNFINISHED, { recursive: true });
  const shared = base(arch, cache);
  const sharedLayer = layer(shared.tree, join(cache, 'layers'));
  writeTree(shared.tree, join(UNFINISHED, 'rootfs/base'));
  const from = source();
  const trees = new Map<string, Tree>();
  const written: Record<string, unknown> = {};
  const digests: Record<string, string> = {};
  for (const image of IMAGES) {
    const { tree, packages } = await component(image, contents[image.bundle] ?? [], arch, shared.libraries);
    trees.set(image.name, tree);
    writeTree(tree, join(UNFINISHED, 'rootfs', image.name));
    const tag = `${registry}/${image.name}:${VERSION}`;
    const { bytes, digest, compressedBytes } = archive({
      tag,
      arch,
      created: from.created,
      layers: [sharedLayer, layer(tree, join(cache, 'layers'))],
      labels: labelsOf(from, image),
    });
    const reference = `${registry}/${image.name}@${digest}`;
    writeFileSync(join(UNFINISHED, `${image.name}.tar`), bytes);
    writeFileSync(
      join(UNFINISHED, `${image.name}.cdx.json`),
      sbom({ image: image.name, reference, arch, debian: shared.packages, npm: packages, source: from }),
    );
    written[image.name] = { reference, tag, digest, compressedBytes };
    if (image.chartKey !== undefined) digests[image.chartKey] = digest;
    log(`${image.name} ${digest} ${(compressedBytes / 1e6).toFixed(1)} MB`);
  }
  writeFileSync(join(UNFINISHED, 'images.json'), `${JSON.stringify(written, undefined, 2)}\n`);
  writeFileSync(join(UNFINISHED, 'values.yaml'), stringify({ images: { registry, tag: VERSION, digests } }));
  if (arch.oci === architecture().oci) selfCheck(shared.tree, trees);
  else log(`not run here: ${arch.oci} on ${architecture().oci}`);
  renameSync(UNFINISHED, OUTPUT);
}
