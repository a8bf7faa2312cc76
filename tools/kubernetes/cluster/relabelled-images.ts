/** Images of another release: what is in them is as it was, their label says another version, so their digests are others. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mustRun } from '../../cluster/command.ts';
import { IMAGES } from '../../images/images.ts';
import { digestOf } from '../../images/layer.ts';
import { tar } from '../../images/tar.ts';
import { file, type Tree } from '../../images/tree.ts';
import { builtImages, importImage } from './images.ts';
import type { ClusterNode } from './layout.ts';

const VERSION_LABEL = 'org.opencontainers.image.version';

export interface RelabelledImages {
  /** `<registry>/<image>@sha256:...` of the sidecar. */
  readonly sidecar: string;
  /** As the chart's `images.digests`. */
  readonly digests: Readonly<Record<string, string>>;
}

/** Makes them of what `make images` wrote to `folder`, and imports them where the nodes have the layers already. */
export async function loadRelabelled(
  nodes: readonly ClusterNode[],
  folder: string,
  version: string,
): Promise<RelabelledImages> {
  const work = mkdtempSync(join(tmpdir(), 'relabelled-'));
  const digests: Record<string, string> = {};
  let sidecar = '';
  try {
    for (const { archive, reference, tag } of builtImages(folder)) {
      const [repository = ''] = reference.split('@');
      const key = IMAGES.find(({ name }) => repository.endsWith(`/${name}`))?.chartKey;
      if (key === undefined) continue;
      const { tree, digest } = await relabel(archive, `${tag}-${version}`, version);
      const copy = join(work, `${key}.tar`);
      writeFileSync(copy, tar(tree));
      await importImage(nodes, {
        archive: copy,
        tag: `${tag}-${version}`,
        reference: `${repository}@${digest}`,
      });
      digests[key] = digest;
      if (key === 'sidecar') sidecar = `${repository}@${digest}`;
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { sidecar, digests };
}

interface Descriptor {
  readonly digest: string;
}
interface Index {
  readonly manifests: readonly [Descriptor & { readonly annotations: object }];
}
interface Manifest {
  readonly config: Descriptor;
}
interface Configuration {
  readonly config: { readonly Labels: object };
}

/** An OCI image layout (image-layout.md) of index, manifest and configuration: the layers are not in it. */
async function relabel(
  archive: string,
  tag: string,
  version: string,
): Promise<{ tree: Tree; digest: string }> {
  const read = async (path: string): Promise<unknown> =>
    JSON.parse(await mustRun('tar', ['--extract', '--to-stdout', '--file', archive, path]));
  const at = ({ digest }: Descriptor): string => `blobs/sha256/${digest.slice('sha256:'.length)}`;
  const tree: Tree = new Map([['oci-layout', file('{"imageLayoutVersion":"1.0.0"}')]]);
  const blob = (value: unknown) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const written = { digest: digestOf(bytes), size: bytes.length };
    tree.set(at(written), file(bytes));
    return written;
  };
  const index = (await read('index.json')) as Index;
  const [listed] = index.manifests;
  const manifest = (await read(at(listed))) as Manifest;
  const configuration = (await read(at(manifest.config))) as Configuration;
  const { config } = configuration;
  const labelled = {
    ...configuration,
    config: { ...config, Labels: { ...config.Labels, [VERSION_LABEL]: version } },
  };
  const named = blob({ ...manifest, config: { ...manifest.config, ...blob(labelled) } });
  const annotations = { ...listed.annotations, 'io.containerd.image.name': tag };
  tree.set(
    'index.json',
    file(JSON.stringify({ ...index, manifests: [{ ...listed, ...named, annotations }] })),
  );
  return { tree, digest: named.digest };
}
