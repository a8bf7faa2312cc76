import { expect, test } from 'vitest';
import { problemDocument } from '../../platform/http/problem.ts';
import { problemError } from '../../sidecar/agent/agent-error.ts';

test('what the agent says to do is said on', () => {
  const refusal = { code: 'caller-busy', message: '32 statements wait', remedy: 'try again in 71 ms' };
  const body = Buffer.from(JSON.stringify(problemDocument(429, refusal)));
  expect(problemError(429, body).message).toBe(
    'the agent refuses (caller-busy): 32 statements wait; try again in 71 ms',
  );
  expect(problemError(502, Buffer.from('<html>')).message).toBe('the agent refuses (502): ');
});
