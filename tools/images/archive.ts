import type { Architecture } from './architecture.ts';
import { ENTRYPOINT, IMAGE_USER } from './images.ts';
import { digestOf, type Layer } from './layer.ts';
import { tar } from './tar.ts';
import { file, type Tree } from './tree.ts';

export interface ImageWish {
  /** `registry/name:tag`. */
  readonly tag: string;
  readonly arch: Architecture;
  readonly layers: readonly Layer[];
  readonly labels: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly created: string;
}

export interface Archive {
  readonly bytes: Buffer;
  /** Of the manifest. */
  readonly digest: string;
  /** What a node pulls: manifest, configuration, layers. */
  readonly compressedBytes: number;
}

const MEDIA = 'application/vnd.oci.image';

/** An image as an OCI image layout in a tar archive (OCI Image Format 1.1: image-layout.md, manifest.md, config.md). */
export function archive({ tag, arch, layers, labels, created }: ImageWish): Archive {
  const blobs: Buffer[] = layers.map(({ compressed }) => compressed);
  const descriptor = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const blob = (mediaType: string, value: unknown) => {
    const bytes = Buffer.from(JSON.stringify(value));
    blobs.push(bytes);
    return descriptor(mediaType, bytes);
  };
  const config = blob(`${MEDIA}.config.v1+json`, {
    created,
    architecture: arch.oci,
    os: 'linux',
    config: {
      User: `${IMAGE_USER}:${IMAGE_USER}`,
      Env: ['PATH=/usr/bin'],
      Entrypoint: ENTRYPOINT,
      WorkingDir: '/',
      Labels: labels,
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  });
  const manifest = blob(`${MEDIA}.manifest.v1+json`, {
    schemaVersion: 2,
    mediaType: `${MEDIA}.manifest.v1+json`,
    config,
    layers: layers.map(({ compressed }) => descriptor(`${MEDIA}.layer.v1.tar+gzip`, compressed)),
  });
  const index = {
    schemaVersion: 2,
    mediaType: `${MEDIA}.index.v1+json`,
    manifests: [
      {
        ...manifest,
        platform: { architecture: arch.oci, os: 'linux' },
        annotations: {
          'io.containerd.image.name': tag,
          'org.opencontainers.image.ref.name': tag.slice(tag.lastIndexOf(':') + 1),
        },
      },
    ],
  };
  const tree: Tree = new Map([
    ['oci-layout', file('{"imageLayoutVersion":"1.0.0"}')],
    ['index.json', file(JSON.stringify(index))],
    ...blobs.map((bytes) => [`blobs/sha256/${digestOf(bytes).slice(7)}`, file(bytes)] as const),
  ]);
  return {
    bytes: tar(tree),
    digest: manifest.digest,
    compressedBytes: blobs.reduce((total, { length }) => total + length, 0),
  };
}
