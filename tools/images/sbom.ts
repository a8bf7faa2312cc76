import { createHash } from 'node:crypto';
import Database from 'better-sqlite3';
import { VERSION } from '../../names/version.ts';
import type { Architecture } from './architecture.ts';
import type { DebianPackage } from './debian-lock.ts';
import { lockedPackage } from './npm-lock.ts';

export interface Contained {
  readonly image: string;
  /** `registry/name@sha256:...`. */
  readonly reference: string;
  readonly arch: Architecture;
  readonly debian: readonly DebianPackage[];
  /** Paths in package-lock.json of the npm packages whose code is in the image. */
  readonly npm: readonly string[];
  readonly source: { readonly created: string; readonly revision: string };
}

interface Component {
  readonly type: 'application' | 'container' | 'library';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
  readonly [other: string]: unknown;
}

/** What an image holds, as CycloneDX 1.6 (ECMA-424); nothing in it depends on when or where it was written. */
export function sbom({ image, reference, arch, debian, npm, source }: Contained): string {
  const digest = reference.slice(reference.indexOf('@') + 1);
  const repository = reference.slice(0, reference.indexOf('@'));
  const root: Component = {
    type: 'container',
    'bom-ref': image,
    name: image,
    version: VERSION,
    hashes: [{ alg: 'SHA-256', content: digest.slice(7) }],
    licenses: [{ expression: 'Apache-2.0' }],
    purl: `pkg:oci/${image}@${encodeURIComponent(digest)}?arch=${arch.oci}&repository_url=${encodeURIComponent(repository)}`,
    properties: [{ name: 'org.opencontainers.image.revision', value: source.revision }],
  };
  const components = [nodeComponent(arch), ...debian.map(debianComponent), ...npm.map(npmComponent)];
  const refs = components.map((component) => component['bom-ref']);
  return `${JSON.stringify(
    {
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      serialNumber: `urn:uuid:${uuidOf(reference)}`,
      version: 1,
      metadata: { timestamp: source.created, component: root },
      components,
      dependencies: [{ ref: image, dependsOn: refs }, ...refs.map((ref) => ({ ref }))],
    },
    undefined,
    2,
  )}\n`;
}

function nodeComponent(arch: Architecture): Component {
  const path = `node_modules/node-linux-${arch.npm}`;
  const { version } = lockedPackage(path);
  if (`v${version}` !== process.version)
    throw new Error(`this is Node.js ${process.version}, the images hold ${version}: run make setup`);
  // Libraries that its build has in it; those without a version are left out of this build.
  const inside = Object.entries(process.versions).flatMap(([name, at]) =>
    at === undefined || at === '' || ['node', 'modules', 'napi'].includes(name)
      ? []
      : [part('node', name, at)],
  );
  return {
    ...npmComponent(path),
    type: 'application',
    name: 'node',
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    components: inside,
  };
}

function npmComponent(path: string): Component {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const { version, integrity, license } = lockedPackage(path);
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return {
    type: 'library',
    // Two places of the tree may hold the same package.
    'bom-ref': path,
    name,
    version,
    hashes: [{ alg: 'SHA-512', content: Buffer.from(integrity.slice(7), 'base64').toString('hex') }],
    licenses: [{ expression: license }],
    purl,
    ...(name === 'better-sqlite3' && { components: [part(path, 'sqlite', sqliteVersion())] }),
  };
}

function debianComponent({ name, version, architecture, sha256 }: DebianPackage): Component {
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}`;
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    hashes: [{ alg: 'SHA-256', content: sha256 }],
    licenses: [{ license: { name: `/usr/share/doc/${name}/copyright` } }],
    purl,
  };
}

/** A library inside of another's build. */
function part(of: string, name: string, version: string): Component {
  return {
    type: 'library',
    'bom-ref': `${of}#${name}`,
    name,
    version,
    purl: `pkg:generic/${name}@${version}`,
  };
}

function sqliteVersion(): string {
  const database = new Database(':memory:');
  try {
    return String(database.prepare('select sqlite_version()').pluck().get());
  } finally {
    database.close();
  }
}

/** A UUID that a name decides: RFC 9562 section 5.8, version 8. */
function uuidOf(name: string): string {
  const bytes = createHash('sha256').update(`enclave-licensing sbom\0${name}`).digest();
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}
