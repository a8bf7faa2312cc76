import { expect, test } from 'vitest';
import { problemDocument, readProblem } from '../../platform/http/problem.ts';

const read = (text: string) => readProblem(Buffer.from(text));

test('a refusal comes back from its problem document', () => {
  const refusal = { code: 'agent-busy', message: 'too many wait', remedy: 'try again' };
  expect(read(JSON.stringify(problemDocument(429, refusal)))).toEqual({
    code: 'agent-busy',
    detail: 'too many wait',
    remedy: 'try again',
  });
  expect(read('{"title":"no"}')).toEqual({ code: '', detail: 'no', remedy: '' });
});

test('what is no problem document says nothing, and nothing of it reaches a terminal as a command', () => {
  const nothing = { code: '', detail: '', remedy: '' };
  for (const text of ['', 'null', '"text"', '<html>', '{"code":1}', '{"code":"a","code":"b"}', '['.repeat(9)])
    expect(read(text), text).toEqual(nothing);
  expect(read(JSON.stringify({ detail: 'x'.repeat(20_000) }))).toEqual(nothing);
  const { code, detail } = read(JSON.stringify({ code: 'c'.repeat(500), detail: 'a\u001b[2Jb\nc' }));
  expect(code).toHaveLength(64);
  expect(detail).toBe('a [2Jb c');
});
