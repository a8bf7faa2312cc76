import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { VERSION } from '../../../names/version.ts';
import { IMAGES } from '../../../tools/images/images.ts';
import {
  archiveOf,
  blob,
  configurationOf,
  type Descriptor,
  manifestOf,
  member,
  NAMES,
  WRITTEN,
} from './archives.ts';

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Paths of a tar, by its own blocks: name, prefix and size. */
function paths(layer: Buffer): string[] {
  const found: string[] = [];
  const text = (at: number, length: number) =>
    layer.toString('latin1', at, at + length).replace(/\0.*$/s, '');
  for (let at = 0; layer[at] !== 0; ) {
    const prefix = text(at + 345, 155);
    found.push(`${prefix}${prefix && '/'}${text(at, 100)}`);
    at += 512 + Math.ceil(Number.parseInt(text(at + 124, 12), 8) / 512) * 512;
  }
  return found;
}

describe.each(NAMES)('%s', (name) => {
  const archive = archiveOf(name);
  const manifest = manifestOf(name);

  test('every digest and size is that of its bytes', () => {
    const index: { manifests: (Descriptor & { annotations: Record<string, string> })[] } = JSON.parse(
      member(archive, 'index.json').toString(),
    );
    expect(index.manifests).toHaveLength(1);
    expect(index.manifests[0]?.digest).toBe(WRITTEN[name]?.digest);
    expect(index.manifests[0]?.annotations['io.containerd.image.name']).toBe(WRITTEN[name]?.tag);
    for (const { digest, size } of [...index.manifests, manifest.config, ...manifest.layers]) {
      const bytes = blob(archive, digest);
      expect([sha256(bytes), bytes.length]).toEqual([digest, size]);
    }
    const unpacked = manifest.layers.map(({ digest }) => sha256(gunzipSync(blob(archive, digest))));
    expect(configurationOf(name).rootfs.diff_ids).toEqual(unpacked);
  });

  test('runs as a numbered user, says what it is, and holds one program', () => {
    const { config } = configurationOf(name);
    expect(config).toMatchObject({
      User: '65532:65532',
      Entrypoint: ['/usr/bin/node', '--max-semi-space-size=8', '/app/main.js'],
      Labels: {
        'org.opencontainers.image.version': VERSION,
        'org.opencontainers.image.revision': expect.stringMatching(/^[0-9a-f]{40}/),
      },
    });
    const all = manifest.layers.flatMap(({ digest }) => paths(gunzipSync(blob(archive, digest))));
    expect(all.filter((path) => /(^|\/)s?bin\/./.test(path))).toEqual(['usr/bin/node']);
    expect(all.filter((path) => /^(tmp|root|home|run)\//.test(path))).toEqual([]);
  });
});

test('all share the layer of Node.js and its libraries', () => {
  expect(new Set(NAMES.map((name) => manifestOf(name).layers[0]?.digest)).size).toBe(1);
});

test('the sidecar is at most 50 MB', () => {
  expect(WRITTEN['enclave-sidecar']?.compressedBytes).toBeLessThanOrEqual(50e6);
});

test("the chart's values name each shipped image by its digest", () => {
  const { images } = parse(readFileSync('dist/images/values.yaml', 'utf8'));
  for (const { name, chartKey } of IMAGES)
    if (chartKey !== undefined) expect(images.digests[chartKey]).toBe(WRITTEN[name]?.digest);
  expect(Object.keys(images.digests)).toHaveLength(7);
  expect(WRITTEN['enclave-agent']?.tag).toBe(`${images.registry}/enclave-agent:${images.tag}`);
});
