/**
 * The chart as operators get it: charts/licensing with the digests of images that were built, so that no value is required. Makes the
 * same archive for the same chart and digests.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isMap, parse, parseDocument } from 'yaml';
import { helmPath } from '../test/support/helm.ts';
import { mustRun } from './cluster/command.ts';

const CHART = resolve('charts/licensing');

/**
 * @param imagesFile values of the images, as `make images` writes them
 * @param folder where the archive goes
 * @returns its path
 */
export async function packageChart(imagesFile: string, folder: string): Promise<string> {
  const { images } = parse(readFileSync(imagesFile, 'utf8')) as {
    images: { registry: string; tag: string; digests: Readonly<Record<string, string>> };
  };
  const work = mkdtempSync(join(tmpdir(), 'package-'));
  try {
    const chart = join(work, 'licensing');
    cpSync(CHART, chart, { recursive: true });
    const file = join(chart, 'values.yaml');
    const values = parseDocument(readFileSync(file, 'utf8'));
    if (!isMap(values.contents)) throw new Error('values.yaml holds no mapping');
    values.setIn(['images', 'registry'], images.registry);
    values.setIn(['images', 'tag'], images.tag);
    for (const [name, digest] of Object.entries(images.digests)) {
      if (!values.hasIn(['images', 'digests', name])) throw new Error(`the chart knows no image ${name}`);
      values.setIn(['images', 'digests', name], digest);
    }
    writeFileSync(file, values.toString({ lineWidth: 0 }));
    mkdirSync(folder, { recursive: true });
    const said = await mustRun(await helmPath(), ['package', chart, '--destination', folder], {
      env: { HOME: work },
    });
    return said.trim().replace(/^.* saved it to: /, '');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
