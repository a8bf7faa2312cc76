import { afterEach, describe, expect, test } from 'vitest';
import { ANNOTATIONS } from '../../names/labels.ts';
import { allow, deny } from '../../webhook/admission-review.ts';
import { enclavePod } from '../injection/support.ts';
import { REVIEW, reviewOf, serve } from './serving-fixture.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

/** Two bytes of UTF-8, three, four, half of a pair, the last of the plane, and what ASCII itself may not show. */
const ODD = 'é–☃🔑｡\ud800\uffff\u007f\u0080\n"\\';
const REFUSAL = { ok: false, code: ODD, message: ODD, remedy: ODD } as const;
const ASCII = /^[\x20-\x7e]*$/;

test('an answer is ASCII, whatever is in it, and says the same: its length is that of its text', () => {
  for (const text of [allow(ODD), allow('u-1', [], [ODD, 'plain']), deny('u-1', REFUSAL)])
    expect(text).toMatch(ASCII);
  expect(JSON.parse(allow(ODD)).response).toEqual({ uid: ODD, allowed: true });
  expect(JSON.parse(allow('u-1', [], [ODD, 'plain'])).response.warnings).toEqual([ODD, 'plain']);
  expect(JSON.parse(deny('u-1', REFUSAL)).response).toEqual({
    uid: 'u-1',
    allowed: false,
    status: { code: 403, reason: 'Forbidden', message: `${ODD}. ${ODD} (${ODD})` },
  });
});

test('warnings and refusals arrive whole, whatever letters a pod has', async () => {
  const served = await serve();
  undo.push(() => served.app.close());
  const pod = (annotations: Record<string, string>) => reviewOf(enclavePod(annotations));
  expect(await served.call({ body: pod({ 'enclave-licensing.dev/schlüssel☃🔑': 'x' }) })).toMatchObject({
    body: { response: { allowed: true, warnings: [expect.stringContaining('schlüssel☃🔑')] } },
  });
  expect(await served.call({ body: pod({ [ANNOTATIONS.mode]: 'ü☃🔑' }) })).toMatchObject({
    body: { response: { allowed: false, status: { message: expect.stringContaining('"ü☃🔑"') } } },
  });
});

describe('an answer', () => {
  const LONG = '\u{1f600}'.repeat(700_000);
  const port = (value: unknown) => ({ containerPort: value, hostPort: 1 });
  const withPort = (value: unknown) => {
    const pod = enclavePod();
    const [app, ...others] = pod.spec?.containers ?? [];
    return { ...pod, spec: { ...pod.spec, containers: [{ ...app, ports: [port(value)] }, ...others] } };
  };
  test.each([
    ['a uid', REVIEW.replace('u-1', LONG), 400],
    ['a port', reviewOf(withPort([LONG])), 200],
  ])(
    'says %s of megabytes not again: to write them down as ASCII takes a second',
    async (_, body, status) => {
      const served = await serve();
      undo.push(() => served.app.close());
      const answer = await served.call({ body });
      expect(answer.status).toBe(status);
      expect(JSON.stringify(answer.body).length).toBeLessThan(10_000);
    },
  );
});
