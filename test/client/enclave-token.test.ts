import { expect, test } from 'vitest';
import { issueEnclaveToken } from '../../client/library/front/enclave-token.ts';

const wanted = (serverName: string, expiresAt?: Date) => ({
  client: { issueEnclaveToken: async () => ({ token: 't', serverName, expiresAt }) },
  token: 'session',
  enclave: 'eabc',
  serverName: 'eabc.enclaves.example',
  signal: new AbortController().signal,
});

test('a token is for the name that the enclave is attested under, and ends, or is none', async () => {
  const end = new Date(1_800_000_000_000);
  expect(await issueEnclaveToken(wanted('eabc.enclaves.example', end))).toEqual({
    token: 't',
    expiresAt: end.getTime(),
  });
  for (const other of [wanted('eother.enclaves.example', end), wanted('eabc.enclaves.example')])
    await expect(issueEnclaveToken(other)).rejects.toMatchObject({ code: 'token-unusable' });
});
