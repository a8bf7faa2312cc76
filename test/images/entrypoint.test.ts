import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ENTRYPOINT, IMAGE_USER } from '../../tools/images/images.ts';

test('the Containerfile starts what the archives start, as the same user', () => {
  const lines = readFileSync('tools/images/Containerfile', 'utf8').split('\n');
  expect(lines).toContain(`ENTRYPOINT [${ENTRYPOINT.map((part) => JSON.stringify(part)).join(', ')}]`);
  expect(lines).toContain(`USER ${IMAGE_USER}:${IMAGE_USER}`);
});
