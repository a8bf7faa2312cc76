import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { architecture } from '../../../tools/images/architecture.ts';
import { readLock } from '../../../tools/images/debian-lock.ts';
import { IMAGES } from '../../../tools/images/images.ts';
import { WRITTEN } from './archives.ts';

interface Component {
  readonly name: string;
  readonly version: string;
  readonly 'bom-ref': string;
  readonly hashes: readonly { readonly content: string }[];
}

interface Bom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
}

function bomOf(name: string): Bom {
  return JSON.parse(readFileSync(`dist/images/${name}.cdx.json`, 'utf8'));
}

/** The schema of CycloneDX 1.6 as its own library ships it. */
function validator() {
  const require = createRequire(import.meta.url);
  const folder = join(dirname(require.resolve('@cyclonedx/cyclonedx-library/package.json')), 'res/schema');
  const read = (name: string) =>
    JSON.parse(readFileSync(join(folder, `${name}.SNAPSHOT.schema.json`), 'utf8'));
  const ajv = new Ajv({ strict: false, formats: { 'iri-reference': true, 'idn-email': true } });
  addFormats.default(ajv);
  for (const name of ['spdx', 'jsf-0.82'])
    ajv.addSchema(read(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  return ajv.compile(read('bom-1.6'));
}
const validate = validator();

describe.each(IMAGES)('$name', ({ name, bundle }) => {
  const bom = bomOf(name);

  test('is CycloneDX 1.6, of this image', () => {
    validate(bom);
    expect(validate.errors ?? []).toEqual([]);
    expect(bom.metadata.component.hashes[0]?.content).toBe(WRITTEN[name]?.digest.slice(7));
  });

  test('lists Node.js, the Debian packages of the lock, and the packages that the bundle says it holds', () => {
    const node = bom.components.find((component) => component.name === 'node');
    expect(`v${node?.version}`).toBe(process.version);
    for (const { name, version, sha256 } of readLock(architecture()))
      expect(bom.components).toContainEqual(
        expect.objectContaining({ name, version, hashes: [{ alg: 'SHA-256', content: sha256 }] }),
      );
    const listed = new Set(bom.components.map((component) => component['bom-ref']));
    const code = globSync(`dist/${bundle}/*.js`)
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    // The bundler writes the path of each module before its code, but where it leaves out comments.
    const said = [...code.matchAll(/^\/\/(?:#region )? *(node_modules\/.*)$/gm)].map(([, path = '']) =>
      path.replace(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+).*$/, '$1'),
    );
    if (!['sidecar', 'demo-app'].includes(bundle)) expect(said.length).toBeGreaterThan(10);
    expect([...new Set(said)].filter((path) => !listed.has(path))).toEqual([]);
    const npm = [...listed].filter((ref) => /^node_modules\/(?!node-linux-)/.test(ref));
    const held = said.length === 0 ? npm : [...new Set(said)];
    expect(npm.filter((path) => !held.includes(path) && path !== 'node_modules/better-sqlite3')).toEqual([]);
  });
});

test('the sidecar holds few packages, and the front the database driver', () => {
  const names = (image: string) => bomOf(image).components.map((component) => component.name);
  expect(names('enclave-sidecar')).toContain('@bufbuild/protobuf');
  expect(names('enclave-sidecar')).not.toContain('pino');
  expect(names('enclave-front')).toContain('better-sqlite3');
});

test('a component without a name is no CycloneDX', () => {
  expect(validate({ ...bomOf('demo-app'), components: [{ type: 'library' }] })).toBe(false);
});
