import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { bundleFromJson } from '../../formats/evidence/bundle.ts';
import { parseStatement } from '../../formats/evidence/statement.ts';
import { imageReference } from '../../tools/cluster/catalogue.ts';
import { command } from '../../tools/cluster/command.ts';
import { ENCLAVE_NAMESPACE } from '../../tools/cluster/environment.ts';
import { freePorts } from '../../tools/cluster/free-ports.ts';
import { policyObject, profileObject } from '../../tools/demo/operator.ts';
import type { Person } from '../../tools/demo/people.ts';
import { startWorld, succeed, type World } from '../support/world.ts';

let world: World;
let alice: Person;
beforeAll(async () => {
  world = await startWorld();
  alice = await world.user('alice');
});
afterAll(() => world?.stop());

/** A profile that says all that a profile can say, on a TCP port. */
async function tcpProfile(): Promise<object> {
  const [port] = await freePorts(1);
  return {
    apiVersion: 'enclave-licensing.dev/v1alpha1',
    kind: 'EnclaveProfile',
    metadata: { name: 'tcp', namespace: ENCLAVE_NAMESPACE },
    spec: {
      image: imageReference(world.environment.catalogue, 'demo-app'),
      args: ['--port', `${port}`, '--greeting', ''],
      env: [
        { name: 'GREETING', value: 'hello' },
        { name: 'EMPTY', value: '' },
      ],
      upstream: `127.0.0.1:${port}`,
      mode: 'http',
      keyType: 'p384',
      certificateLifetime: '2h',
      resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } },
      serviceAccountName: 'default',
    },
  };
}

/** Launches, and returns what the TPM signed of the pod. */
async function launched(
  name: string,
  policy: string,
): Promise<{ enclave: string; specSha256: string; folder: string }> {
  const report = JSON.parse(
    await succeed(alice, ['launch', name, '--policy', policy, '--timeout', '90s', '--json']),
  );
  const folder = join(alice.home, '.local/state/enclavectl/enclaves', report.enclave);
  const bundle = bundleFromJson(readFileSync(join(folder, 'bundle.json')));
  const statement = bundle.ok ? parseStatement(bundle.value.statement) : bundle;
  if (!statement.ok) throw new Error(statement.message);
  return { enclave: report.enclave, specSha256: statement.value.pod.specSha256, folder };
}

test('policy digest computes, with nothing but files and flags, the specSha256 of launched pods', async () => {
  const { environment } = world;
  const elsewhere = join(alice.home, 'elsewhere');
  mkdirSync(elsewhere);
  const write = (name: string, value: object) => {
    writeFileSync(join(elsewhere, name), stringify(value, { aliasDuplicateObjects: false }));
    return join(elsewhere, name);
  };
  const tcp = await tcpProfile();
  await environment.kubectl(['apply', '-f', '-'], JSON.stringify(tcp));
  const any = ['any'];
  const policy = write('any.yaml', { ...policyObject(environment), modes: any, upstream: any });
  const sidecar = imageReference(environment.catalogue, 'enclave-sidecar');
  /** Somebody without any state of enclavectl, and without a server. */
  const digest = async (...flags: string[]): Promise<string> => {
    const args = [resolve('dist/enclavectl.js'), 'policy', 'digest', ...flags];
    const { code, stdout, stderr } = await command(process.execPath, args, { env: { HOME: elsewhere } });
    if (code !== 0) throw new Error(stderr);
    return stdout;
  };

  for (const [name, profile] of [
    ['hello', profileObject(environment)],
    ['tcp', tcp],
  ] as const) {
    const { enclave, specSha256, folder } = await launched(name, policy);
    const file = write(`${name}.yaml`, profile);
    const all = (owner: string, id = enclave) => [
      ...[file, '--owner-key', owner, '--roots', environment.rootsFile],
      ...['--sidecar-image', sidecar, '--enclave', id],
    ];
    const key = join(folder, 'key.pem');
    expect(await digest(...all(key)), name).toBe(`${specSha256}\n`);
    const json = JSON.parse(await digest(...all(key), '--json'));
    expect(json).toMatchObject({ ok: true, specSha256 });
    expect(await digest(...all(json.ownerKeySha256))).toBe(`${specSha256}\n`);
    const canonical = await digest(...all(key), '--canonical');
    expect(createHash('sha256').update(canonical).digest('hex')).toBe(specSha256);
    expect(await digest(...all('ab'.repeat(32)))).not.toContain(specSha256);
    expect(await digest(...all(key, 'eother'))).not.toContain(specSha256);
    // The owner at home need not repeat what is kept there.
    const short = await succeed(alice, ['policy', 'digest', file, '--enclave', enclave, '--policy', policy]);
    expect(short).toBe(`${specSha256}\n`);
    await succeed(alice, ['stop', enclave, '--keep']);
  }
});
