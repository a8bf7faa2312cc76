/** The chart wraps files/*.yaml, which the devcluster and the tests read as they are: what it renders must be the same objects. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CHART, identityOf, objectsOf, type Rendered, render } from './render.ts';

const FILES = join(CHART, 'files');
/** Made by `helm install --create-namespace`; alerts are no object; both stand beside the objects. */
const NO_OBJECTS = ['namespace.yaml', 'alerts.yaml'];
/** What is called like the default namespace and is no namespace. */
const NAMES_OF_THEIR_OWN =
  /("(name|priorityClassName)":|part-of":|"resourceNames":\[)"enclave-licensing$|(configurations=|\/etc\/|\/lib\/|launcher of )enclave-licensing$/;

function fileObjects(): Rendered[] {
  return readdirSync(FILES)
    .filter((file) => file.endsWith('.yaml') && !NO_OBJECTS.includes(file))
    .flatMap((file) => objectsOf(readFileSync(join(FILES, file), 'utf8')));
}

/** The object without what it says to helm alone. */
function withoutHelm(object: Rendered): Rendered {
  const annotations = Object.entries(object.metadata.annotations ?? {}).filter(
    ([key]) => !key.startsWith('helm.sh/'),
  );
  const { annotations: _, ...metadata } = object.metadata;
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }),
    },
  };
}

test('in the default namespace the chart’s objects are those of the files', async () => {
  const rendered = new Map((await render()).map((object) => [identityOf(object), withoutHelm(object)]));
  const files = fileObjects();
  expect(files.length).toBeGreaterThan(40);
  for (const object of files) expect(rendered.get(identityOf(object))).toEqual(object);
});

test('in another namespace nothing names the default one', async () => {
  const other = 'tenant-7';
  const moved = (await render({ namespace: other })).map(withoutHelm);
  // The whole release, not its files alone: replacing it back must give the default rendering.
  const back = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value).replaceAll(other, 'enclave-licensing'));
  expect(back(moved)).toEqual((await render()).map(withoutHelm));
  const text = JSON.stringify(moved);
  expect(text).not.toMatch(/"namespace":"enclave-licensing"/);
  expect(text).not.toMatch(/serviceaccount:enclave-licensing:/);
  expect(text).not.toMatch(/\.enclave-licensing\.svc/);
  // In what is left it is a name of its own: of a configuration, a volume, a label, a folder, a domain.
  const left = new Set([...text.matchAll(/.{0,24}enclave-licensing(?![-.\w/])/g)].map(([found]) => found));
  for (const found of left) expect(found).toMatch(NAMES_OF_THEIR_OWN);
});
