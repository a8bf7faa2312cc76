import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../platform/config/config.ts';
import { parseDuration } from '../../platform/config/duration.ts';
import { helpText } from '../../platform/config/help.ts';
import type { Options } from '../../platform/config/option.ts';

const OPTIONS = {
  bind: { kind: 'string', required: true, help: 'IP address' },
  healthPort: { kind: 'integer', default: 9464, min: 0, max: 65_535, help: 'port' },
  certs: { kind: 'address', help: 'certificate service' },
  lifetime: { kind: 'duration', default: '24h', help: 'how long' },
  requireIsolation: { kind: 'boolean', default: true, help: 'probe' },
  namespaces: { kind: 'list', help: 'where' },
  mode: { kind: 'choice', values: ['tcp', 'http'], default: 'tcp', help: 'protocol' },
  config: { kind: 'path', help: 'YAML file' },
} as const satisfies Options;

function read(argv: string[], environment: Record<string, string> = {}) {
  return readConfig(OPTIONS, { argv, environment, environmentPrefix: 'ENCLAVE_TEST_' });
}

describe('configuration', () => {
  test('flags over environment over file over defaults, each kind typed', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'config-'));
    try {
      const file = join(dir, 'c.yaml');
      writeFileSync(file, 'bind: 10.0.0.1\nhealth-port: 1\nnamespaces: [a, b]\nlifetime: 1h30m\n');
      const config = await read(['--bind', '127.0.0.1', '--require-isolation=false', '--certs=[::1]:8446'], {
        ENCLAVE_TEST_CONFIG: file,
        ENCLAVE_TEST_HEALTH_PORT: '2',
        ENCLAVE_TEST_BIND: '10.0.0.2',
        // What Kubernetes adds for a Service named enclave-test.
        ENCLAVE_TEST_SERVICE_PORT: '8447',
        ENCLAVE_TEST_PORT: 'tcp://127.96.0.9:8446',
      });
      expect(config).toEqual({
        bind: '127.0.0.1',
        healthPort: 2,
        certs: { host: '::1', port: 8446 },
        lifetime: 5_400_000,
        requireIsolation: false,
        namespaces: ['a', 'b'],
        mode: 'tcp',
        config: file,
      });
      writeFileSync(file, 'bind: x\nheath-port: 1\n');
      await expect(read(['--config', file])).rejects.toThrow('unknown key heath-port');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test.each([
    [[], '--bind (or ENCLAVE_TEST_BIND) is required'],
    [['--bind', 'x', '--bnid', 'y'], 'unknown flag --bnid'],
    [['stray'], 'unknown argument'],
    [['--bind'], '--bind needs a value'],
    [['--bind', '--mode'], '--bind needs a value'],
    [['--bind', 'x', '--bind', 'y'], '--bind is given twice'],
    [['--bind='], '--bind must be text'],
    [['--bind', 'x', '--health-port', '70000'], '--health-port must be an integer from 0 to 65535'],
    [['--bind', 'x', '--health-port', '1e3'], '--health-port must be an integer'],
    [['--bind', 'x', '--certs', 'host'], '--certs must be host:port'],
    [['--bind', 'x', '--lifetime', '5'], '--lifetime must be a duration'],
    [['--bind', 'x', '--require-isolation=maybe'], '--require-isolation must be true or false'],
    [['--bind', 'x', '--namespaces', 'a,,b'], '--namespaces must be a list'],
    [['--bind', 'x', '--mode', 'udp'], '--mode must be one of tcp, http'],
    [['--bind', 'x', '--config', '/no/such'], '--config /no/such: /no/such does not exist'],
  ])('%j: one line that names it', async (argv, message) => {
    const error = await read(argv).catch((each: unknown) => each);
    expect(error).toMatchObject({ name: 'ConfigError' });
    expect(String(error)).toContain(message);
    expect(String(error)).not.toContain('\n');
  });

  test('a Service named like a component configures nothing', async () => {
    const service = { ENCLAVE_TEST_BIND: '10.0.0.2', ENCLAVE_TEST_HEALTH_PORT: 'tcp://10.96.0.5:9464' };
    expect((await read([], service)).healthPort).toBe(9464);
    await expect(read([], { ...service, ENCLAVE_TEST_HEALTH_PORT: 'x' })).rejects.toThrow('HEALTH_PORT');
  });

  test('help names every flag, its default, and the environment', () => {
    const text = helpText('enclave-test', OPTIONS, 'ENCLAVE_TEST_');
    for (const part of [
      '--bind TEXT',
      '(required)',
      '--health-port N',
      '(default 9464)',
      'tcp|http',
      'ENCLAVE_TEST_HEALTH_PORT',
    ])
      expect(text).toContain(part);
  });

  test('durations', () => {
    expect(['1h30m', '90s', '500ms', '1m500ms', '0s'].map(parseDuration)).toEqual([
      5_400_000, 90_000, 500, 60_500, 0,
    ]);
    expect(['', '5', '1.5h', '30m1h', '-1s', '1d', '1h 2m'].map(parseDuration)).toEqual(
      Array(7).fill(undefined),
    );
  });
});
