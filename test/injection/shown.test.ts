import { expect, test } from 'vitest';
import { shown } from '../../injection/shown.ts';

test('what an author wrote moves no cursor and turns no line around where others read it', () => {
  expect(shown('a\u001b[2J\u009b31m\u202e\u2066\u200bz')).toBe(
    '"a\\u001b[2J\\u009b31m\\u202e\\u2066\\u200bz"',
  );
  expect(shown('Größe "1"')).toBe('"Größe \\"1\\""');
  expect(shown('x'.repeat(3_000_000)).length).toBeLessThan(210);
});
