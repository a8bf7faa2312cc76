/** The vendors' roots that the chart trusts: those of the table, and every one that the certificate service can read. */
import { createHash, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readEndorsementRoots } from '../../certs/enrolment/endorsement-files.ts';
import { markdownTable, quoted } from '../support/markdown-table.ts';
import { CHART, type Rendered, render } from './render.ts';

const FOLDER = join(CHART, 'files/ek-roots');
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.pem'));

test('each is the certificate of the table, an authority’s, and of no other form than DER', () => {
  const table = markdownTable('charts/licensing/files/ek-roots/README.md', 'Shipped').slice(1);
  expect(table.map(([file = '']) => quoted(file)[0])).toEqual(files);
  for (const [file = '', , digest = '', until = ''] of table) {
    const certificate = new X509Certificate(readFileSync(join(FOLDER, quoted(file)[0] ?? '')));
    expect(createHash('sha256').update(certificate.raw).digest('hex')).toBe(quoted(digest)[0]);
    expect(certificate.ca).toBe(true);
    expect(certificate.validToDate.toISOString().slice(0, 10)).toBe(until);
  }
  const { vendor, emulated } = readEndorsementRoots(FOLDER);
  expect([vendor.length, emulated.length]).toEqual([files.length, 0]);
});

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';

interface Endorsement {
  /** Keys of the ConfigMap. */
  readonly held: readonly string[];
  /** What the certificate service finds in its folder. */
  readonly paths: readonly string[];
}

async function endorsement(tpm: object): Promise<Endorsement> {
  const objects = await render({ values: { tpm } });
  const named = (kind: string, name: string): Rendered => {
    const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
    if (found === undefined) throw new Error(`no ${kind} ${name}`);
    return found;
  };
  const { data } = named('ConfigMap', 'enclave-certs-endorsement') as unknown as {
    data: Record<string, string>;
  };
  const { spec } = named('Deployment', 'enclave-certs') as unknown as {
    spec: {
      template: {
        spec: { volumes: { name: string; configMap?: { items?: { key: string; path: string }[] } }[] };
      };
    };
  };
  const volume = spec.template.spec.volumes.find(({ name }) => name === 'ek-roots');
  const items = volume?.configMap?.items ?? [];
  for (const { key } of items) expect(data[key], key).toContain('BEGIN CERTIFICATE');
  return { held: Object.keys(data), paths: items.map(({ path }) => path).sort() };
}

test('the certificate service has them, and the operator’s beside them', async () => {
  expect((await endorsement({})).paths).toEqual(files);
  const own = await endorsement({ ekRoots: { 'emulated/swtpm.pem': PEM, 'vendor.crt': PEM } });
  expect(own.paths).toEqual(['emulated/swtpm.pem', ...files, 'vendor.crt'].sort());
  expect((await endorsement({ vendorRoots: false, ekRoots: { 'vendor.crt': PEM } })).paths).toEqual([
    'vendor.crt',
  ]);
  expect((await endorsement({ vendorRoots: false })).paths).toEqual([]);
});
