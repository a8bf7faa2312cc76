/**
 * Bypass attempts, each made with the rights of a namespace user. On a real kube-apiserver (`make test-kube`) the policies refuse what
 * the development cluster knows nothing of; then admission is switched off, on both, and what stands behind it is asked.
 */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CSR_ANNOTATIONS,
  ENABLED,
  ENCLAVE_LABEL,
  INJECT_LABEL,
  INJECTED_ANNOTATION,
  INJECTION_LABEL,
} from '../../names/labels.ts';
import { SIDECAR_CONTAINER } from '../../names/sidecar.ts';
import { SIGNERS } from '../../names/signers.ts';
import { ENCLAVE_NAMESPACE } from '../../tools/cluster/environment.ts';
import { freePorts } from '../../tools/cluster/free-ports.ts';
import { PROFILE, profileObject } from '../../tools/demo/operator.ts';
import { until } from '../support/until.ts';
import { CHANGES, HAND_MADE } from './bypass-behind.ts';
import { CREATIONS } from './bypass-created.ts';
import { REFUSED } from './bypass-refused.ts';
import { certificateRequest, newRequest } from './bypass-request.ts';
import { type Bypass, ELSEWHERE, type LoosePod, PLAIN, REAL, startBypass } from './bypass-world.ts';

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

interface Answered {
  readonly status: { readonly conditions?: readonly object[] };
}

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

describe('with admission switched off, behind it', () => {
  beforeAll(async () => {
    const { kubectl, cluster } = bypass.world.environment;
    for (const kind of ['mutatingwebhookconfiguration', 'validatingwebhookconfiguration'])
      await kubectl(['delete', kind, 'enclave-licensing']);
    await kubectl(['delete', 'validatingadmissionpolicybindings', '--all']);
    if (cluster.real)
      await until('nothing refuses any more', async () =>
        (await Promise.all(['prefix', 'token-requests', 'immutable'].map(tried))).every(
          (text) => text === '',
        ),
      );
  });
  const tried = async (policy: string): Promise<string> => {
    const attempt = REFUSED.find((each) => each.policy === policy);
    if (attempt === undefined) throw new Error(policy);
    const args = [...attempt.args(bypass), ...(policy === 'token-requests' ? [] : ['--dry-run=server'])];
    return (await bypass.mallory(args, attempt.input?.(bypass))).stderr;
  };

  test.each(HAND_MADE.map((each, index) => ({ ...each, name: `made-${index}` })))(
    'the agent quotes no pod with $what',
    async ({ name, edit, says }) => {
      const { running, injected, call, token, mallory } = bypass;
      const address = await running(injected(name, (pod) => edit(pod, bypass)));
      expect(await call(address, await token('mallory', name))).toMatchObject({
        status: 403,
        code: 'caller-sidecar',
        detail: expect.stringMatching(says),
        remedy: expect.stringMatching(/./),
      });
      await mallory(['delete', 'pod', name, '--now', '--wait=false']);
    },
  );

  test('the agent quotes no pod that was labelled later', async () => {
    const { mallory, call, token, address } = bypass;
    expect(await mallory(['label', 'pod', 'bystander', `${INJECT_LABEL}=enabled`])).toMatchObject({
      code: 0,
    });
    const answer = await call(await address('bystander'), await token('mallory', 'bystander'));
    expect(answer).toMatchObject({ code: 'caller-sidecar' });
  });

  test('the agent quotes no pod of a namespace without label, nor one that was created before', async () => {
    const { running, injected, token, call, world } = bypass;
    const early = injected('early', (pod) => {
      pod.metadata.namespace = PLAIN;
      for (const container of pod.spec.initContainers ?? []) container.image = bypass.appImage;
    });
    const address = await running(early);
    const held = await token('mallory', 'early', PLAIN);
    expect(await call(address, held)).toMatchObject({ code: 'caller-namespace' });
    await world.environment.kubectl(['label', 'namespace', PLAIN, `${INJECTION_LABEL}=${ENABLED}`]);
    expect(await call(address, held)).toMatchObject({ code: 'caller-sidecar' });
  });

  test('the agent takes no other’s token', async () => {
    const { running, injected, token, call, mallory, victim } = bypass;
    const own = await running(injected('own'));
    expect(await call(own, await token('mallory', 'own'))).toMatchObject({ status: 200 });
    expect(await call(own, await token('web'))).toMatchObject({ code: 'caller-token' });
    await expect(token('web', 'own')).rejects.toThrow(/cannot bind token for serviceaccount/);
    const ordinary = (await mallory(['create', 'token', 'mallory'])).stdout.trim();
    expect(await call(own, ordinary)).toMatchObject({ code: 'token-refused' });
    const victims = await token('default', victim);
    for (const from of [own, ELSEWHERE])
      expect(await call(from, victims)).toMatchObject({ code: 'caller-address' });
  });

  test('the certificate service signs for nobody but agents, components and the launcher', async () => {
    const { mallory, connection, address, token, victim } = bypass;
    // Evidence of mallory's own pod, as good as any: but who asks is not its node's agent.
    const calls = await connection(await address('own'), await token('mallory', 'own'));
    const proven = calls.request(await calls.prove());
    calls.close();
    const claims = { [CSR_ANNOTATIONS.enclave]: victim, [CSR_ANNOTATIONS.user]: 'alice' };
    for (const [object, says] of [
      [certificateRequest(SIGNERS.users, newRequest(), claims), /mallory" is not the launcher/],
      [certificateRequest(SIGNERS.enclaves, newRequest()), /carries no evidence/],
      [certificateRequest(SIGNERS.enclaves, proven), /mallory" is not the agent/],
      [certificateRequest(SIGNERS.system, newRequest()), /mallory" is no component/],
    ] as const) {
      const name = (await mallory(['create', '-f', '-', '-o', 'name'], object)).stdout.trim();
      const status = await until(`${name} is answered`, async () => {
        const answer = JSON.parse((await mallory(['get', name, '-o', 'json'])).stdout) as Answered;
        return answer.status.conditions && answer.status;
      });
      const message = expect.stringMatching(says);
      expect(status).toEqual({ conditions: [expect.objectContaining({ type: 'Denied', message })] });
    }
  });

  test.each(CHANGES.map(([what, change], index) => ({ what, change, index })))(
    'alice’s client takes no evidence from an enclave after $what',
    async ({ change, index }) => {
      const { changed, mallory, verifies, call, token, address } = bypass;
      const enclave = changed[index] ?? '';
      expect(await verifies(enclave)).toMatchObject({ code: 0 });
      const [from, held] = [await address(enclave), await token('default', enclave)];
      expect(await call(from, held)).toMatchObject({ status: 200 });
      expect(await mallory(change(enclave, bypass))).toMatchObject({ code: 0 });
      const refused = await until('the agent refuses the pod', async () => {
        const answer = await call(from, held);
        return answer.status !== 200 && answer;
      });
      expect(refused.code).toMatch(/^caller-(pod-ended|pod-changed|sidecar)$/);
      // The launcher looks at the pod too, before the sidecar can say what the agent told it.
      const { code, stdout } = await verifies(enclave);
      expect(stdout).toMatch(
        /evidence-unavailable.*\(caller-|sidecar-differs|ephemeral-container|pod-changed/s,
      );
      expect(code).not.toBe(0);
    },
  );

  test('the launcher hands out no pod that nobody injected', async () => {
    const outcome = await bypass.alice.enclavectl(['launch', PROFILE, '--json']);
    expect(outcome.stdout).toContain('sidecar-missing');
    expect(outcome.code).toBe(4);
  });

  test('an impostor with the victim’s id is quoted as what it is, which is not alice’s', async () => {
    const { running, injected, connection, token, victim } = bypass;
    const address = await running(
      injected('impostor', undefined, (pod) => {
        pod.metadata.labels = { [ENCLAVE_LABEL]: victim };
      }),
    );
    const calls = await connection(address, await token('mallory', 'impostor'));
    const { statement } = await calls.prove();
    calls.close();
    const said = JSON.parse(Buffer.from(statement).toString()) as {
      readonly pod: { readonly enclave: string; readonly serviceAccount: string };
      readonly access: { readonly ownerKeySha256: string };
    };
    // Everything that alice's client compares with what she launched.
    expect(said).toMatchObject({
      pod: { enclave: victim, name: 'impostor', serviceAccount: 'mallory' },
      access: { ownerKeySha256: 'ab'.repeat(32) },
    });
  });

  test('and the victim, whom nobody reached, is verified as before', async () => {
    const { code, stdout, stderr } = await bypass.verifies(bypass.victim);
    expect(code, `${stdout}${stderr}`).toBe(0);
  });
});
