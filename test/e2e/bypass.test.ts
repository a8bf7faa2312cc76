/**
 * Bypass attempts, each made with the rights of a namespace user. On a real kube-apiserver (`make test-kube`) the policies refuse what
 * the development cluster knows nothing of; then admission is switched off, on both, and what stands behind it is asked.
 */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INJECTED_ANNOTATION } from '../../names/labels.ts';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import { ENCLAVE_NAMESPACE } from '../../tools/cluster/environment.ts';
import { freePorts } from '../../tools/cluster/free-ports.ts';
import { profileObject } from '../../tools/demo/operator.ts';
import { CHANGES } from './bypass-behind.ts';
import { CREATIONS } from './bypass-created.ts';
import type { LoosePod } from './bypass-mallory.ts';
import { REFUSED } from './bypass-refused.ts';
import { behindAdmission } from './bypass-unadmitted.ts';
import { type Bypass, INSTALLED, REAL, startBypass } from './bypass-world.ts';

let bypass: Bypass;

const bare = (pod: LoosePod): void => {
  pod.metadata.labels = {};
  pod.metadata.annotations = {};
};

beforeAll(async () => {
  bypass = await startBypass(CHANGES.length);
  await bypass.running(bypass.pod('bystander', bare));
});
afterAll(() => bypass?.stop());

async function podNames(namespace = ENCLAVE_NAMESPACE): Promise<string> {
  return bypass.world.environment.kubectl(['get', 'pods', '-n', namespace, '-o', 'name']);
}

describe('a pod that mallory creates', () => {
  test.each(CREATIONS)('$what', async ({ edit, says }) => {
    const { mallory, pod } = bypass;
    const answer = await mallory(
      ['create', '-f', '-'],
      pod('attempt', (made) => edit(made, bypass)),
    );
    expect(answer.stderr).toMatch(says);
    expect(answer.code).toBe(1);
    expect(await podNames()).not.toContain('attempt');
  });

  test('annotations forged: what says that it was injected is injected all the same', async () => {
    const { mallory, pod, world } = bypass;
    const forged = pod('forged', (made) => {
      made.metadata.annotations[INJECTED_ANNOTATION] = 'as you wish';
    });
    expect(await mallory(['create', '-f', '-'], forged)).toMatchObject({ code: 0 });
    const text = await world.environment.kubectl([
      ...['get', 'pod', 'forged', '-n', ENCLAVE_NAMESPACE, '-o', 'json'],
    ]);
    const stored = JSON.parse(text) as LoosePod;
    expect(stored.spec.initContainers?.map(({ name, image }) => [name, image])).toEqual([
      [SIDECAR_CONTAINER, bypass.sidecarImage],
    ]);
    expect(stored.metadata.annotations[INJECTED_ANNOTATION]).not.toBe('as you wish');
  });
});

describe('a clear-text connection to the app past the sidecar', () => {
  /** What comes back to an HTTP request in clear text. */
  const ask = (host: string, port: number): Promise<string> =>
    new Promise((resolve) => {
      let text = '';
      const socket = connect({ host, port }, () =>
        socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'),
      );
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        text += chunk;
      });
      socket.setTimeout(3000, () => socket.destroy());
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text));
    });

  test('no port of the victim’s pod answers with its app', async () => {
    const address = await bypass.address(bypass.victim);
    for (const port of [8443, 9464, 8080]) expect(await ask(address, port)).not.toContain('demo-app');
  });

  // On the installed product something enforces network policies: test/installed/network-policy.test.ts has it both ways.
  if (!INSTALLED)
    test('an app that can be reached so is handed to nobody', async () => {
      const { world, alice } = bypass;
      // Pods of the development cluster share the machine's ports where they ask for every address.
      const [port = 0] = await freePorts(1);
      const { spec } = profileObject(world.environment) as { spec: object };
      const profile = {
        ...profileObject(world.environment),
        metadata: { name: 'open', namespace: ENCLAVE_NAMESPACE },
        spec: {
          ...spec,
          upstream: `pod:${port}`,
          args: [`--port=${port}`, '--host=0.0.0.0'],
        },
      };
      await world.environment.kubectl(['apply', '-f', '-'], JSON.stringify(profile));
      const before = await podNames();
      const outcome = await alice.enclavectl(['launch', 'open', '--timeout', '60s', '--json']);
      expect(`${outcome.stdout}${outcome.stderr}`).toContain('not-isolated');
      expect(outcome.code).not.toBe(0);
      expect(await podNames()).toBe(before);
    });
});

function refusals(): void {
  test.each(REFUSED)('$what', async ({ policy, args, input, says }) => {
    const { code, stderr } = await bypass.mallory(args(bypass), input?.(bypass));
    expect(stderr).toContain(`ValidatingAdmissionPolicy '${policy}.enclave-licensing.dev'`);
    expect(stderr).toMatch(says);
    expect(code).toBe(1);
  });
}

async function webhookDies(): Promise<void> {
  await bypass.world.environment.replicas('enclave-webhook', 0);
}

if (REAL) describe('what mallory asks of kube-apiserver', refusals);

describe('with the webhook dead', () => {
  beforeAll(webhookDies);

  test('no pod is let through, bare or injected by hand', async () => {
    const { mallory, pod, injected } = bypass;
    for (const made of [pod('attempt'), injected('attempt'), pod('attempt', bare)]) {
      const { code, stderr } = await mallory(['create', '-f', '-'], made);
      expect(stderr).toContain('failed calling webhook');
      expect(code).toBe(1);
    }
    expect(await podNames()).not.toContain('attempt');
  });

  if (REAL) refusals();
});

describe('with admission switched off, behind it', () => behindAdmission(() => bypass));
