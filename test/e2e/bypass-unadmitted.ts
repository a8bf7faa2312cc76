/** Behind admission: what the agent, the certificate service, the launcher and a client make of pods that nothing refused. */
import { beforeAll, expect, test } from 'vitest';
import {
  CSR_ANNOTATIONS,
  ENABLED,
  ENCLAVE_LABEL,
  INJECT_LABEL,
  INJECTION_LABEL,
} from '../../names/labels.ts';
import { SIGNERS } from '../../names/signers.ts';
import { PROFILE } from '../../tools/demo/operator.ts';
import { until } from '../support/until.ts';
import { CHANGES, HAND_MADE } from './bypass-behind.ts';
import { PLAIN } from './bypass-mallory.ts';
import { REFUSED } from './bypass-refused.ts';
import { certificateRequest, newRequest } from './bypass-request.ts';
import { type Bypass, ELSEWHERE } from './bypass-world.ts';

interface Answered {
  readonly status: { readonly conditions?: readonly object[] };
}

/** Switches admission off, and asks what stands behind it. */
export function behindAdmission(given: () => Bypass): void {
  beforeAll(async () => {
    const { kubectl, cluster } = given().world.environment;
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
    const args = [...attempt.args(given()), ...(policy === 'token-requests' ? [] : ['--dry-run=server'])];
    return (await given().mallory(args, attempt.input?.(given()))).stderr;
  };

  test.each(HAND_MADE.map((each, index) => ({ ...each, name: `made-${index}` })))(
    'the agent quotes no pod with $what',
    async ({ name, edit, says }) => {
      const { running, injected, call, token, mallory } = given();
      const address = await running(injected(name, (pod) => edit(pod, given())));
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
    const { mallory, call, token, address } = given();
    expect(await mallory(['label', 'pod', 'bystander', `${INJECT_LABEL}=enabled`])).toMatchObject({
      code: 0,
    });
    const answer = await call(await address('bystander'), await token('mallory', 'bystander'));
    expect(answer).toMatchObject({ code: 'caller-sidecar' });
  });

  test('the agent quotes no pod of a namespace without label, nor one that was created before', async () => {
    const { running, injected, token, call, world } = given();
    const early = injected('early', (pod) => {
      pod.metadata.namespace = PLAIN;
      for (const container of pod.spec.initContainers ?? []) container.image = given().appImage;
    });
    const address = await running(early);
    const held = await token('mallory', 'early', PLAIN);
    expect(await call(address, held)).toMatchObject({ code: 'caller-namespace' });
    await world.environment.kubectl(['label', 'namespace', PLAIN, `${INJECTION_LABEL}=${ENABLED}`]);
    expect(await call(address, held)).toMatchObject({ code: 'caller-sidecar' });
  });

  test('the agent takes no other’s token', async () => {
    const { running, injected, token, call, mallory, victim } = given();
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
    const { mallory, connection, address, token, victim } = given();
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
      const { changed, mallory, verifies, call, token, address } = given();
      const enclave = changed[index] ?? '';
      expect(await verifies(enclave)).toMatchObject({ code: 0 });
      const [from, held] = [await address(enclave), await token('default', enclave)];
      expect(await call(from, held)).toMatchObject({ status: 200 });
      expect(await mallory(change(enclave, given()))).toMatchObject({ code: 0 });
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
    const outcome = await given().alice.enclavectl(['launch', PROFILE, '--json']);
    expect(outcome.stdout).toContain('sidecar-missing');
    expect(outcome.code).toBe(4);
  });

  test('an impostor with the victim’s id is quoted as what it is, which is not alice’s', async () => {
    const { running, injected, connection, token, victim } = given();
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
    const { code, stdout, stderr } = await given().verifies(given().victim);
    expect(code, `${stdout}${stderr}`).toBe(0);
  });
}
