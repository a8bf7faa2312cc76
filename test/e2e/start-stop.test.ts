/** Start and stop of an enclave’s pod (KEP-753): real sidecar, agent, certificate service and TPM, on the development cluster’s node. What the real kubelet does of it: test/installed/workloads.test.ts. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCertificate } from '../../formats/x509/certificate.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { ANNOTATIONS } from '../../names/labels.ts';
import { OID_EKU_CLIENT_AUTH, OID_EKU_USER } from '../../names/oids.ts';
import { SIDECAR_CONTAINER, SIDECAR_ENV } from '../../names/sidecar.ts';
import { chainPem, createCredential, privateKeyPem } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { PODS, type Pod } from '../../platform/kube/resources.ts';
import { bundle } from '../../tools/bundle.ts';
import { issuerIn } from '../agent/enclave-certificate.ts';
import { type AgentWorld, ENCLAVES, startAgentWorld } from '../support/agent-world.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'start-stop-'));
const owner = generateKey();
const ownerKeySha256 = createHash('sha256').update(owner.spki).digest('hex');
let world: AgentWorld;

beforeAll(async () => {
  await bundle({ entry: 'sidecar/main.ts', directory: folder, file: 'main', small: true });
  const images = { 'enclave-sidecar': [process.execPath, join(folder, 'main.js')] };
  world = await startAgentWorld({ images });
});
afterAll(async () => {
  await world?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Enclave {
  readonly name: string;
  readonly address: string;
  dial(): Promise<TLSSocket>;
  pod(): Promise<Pod | undefined>;
}

/** Runs the patient app behind a sidecar; resolves when the pod is Ready. */
async function enclave(name: string, edit: (pod: Pod) => void = () => {}): Promise<Enclave> {
  const { address } = await world.enclave(name, (pod) => {
    const [sidecar] = pod.spec?.initContainers ?? [];
    const variable = sidecar?.env?.find((each) => each.name === SIDECAR_ENV.ownerKey);
    if (variable) variable.value = ownerKeySha256;
    if (pod.metadata?.annotations) pod.metadata.annotations[ANNOTATIONS.ownerKey] = ownerKeySha256;
    const [app] = pod.spec?.containers ?? [];
    if (app === undefined) throw new Error('no app');
    app.env = [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }];
    app.command = [process.execPath, resolve('test/support/patient-app.mjs'), '$(POD_IP)', '8080'];
    edit(pod);
  });
  const issuer = await issuerIn(world.kube, 'users');
  const now = Math.floor(Date.now() / 1000);
  const der = buildCertificate(
    {
      serial: Uint8Array.of(6),
      issuer: issuer.subject,
      subject: {},
      notBefore: now - 60,
      notAfter: now + 600,
      spki: owner.spki,
      extensions: {
        basicConstraints: { ca: false },
        keyUsage: ['digitalSignature'],
        extendedKeyUsage: [OID_EKU_USER, OID_EKU_CLIENT_AUTH],
        userBinding: { enclave: name, user: 'alice' },
      },
    },
    issuer.key.sign,
    issuer.key.scheme,
  );
  const credential = createCredential(owner.privateKey, [der]);
  const dial = (): Promise<TLSSocket> =>
    new Promise((done, reject) => {
      const socket = connect({
        host: address,
        port: 8443,
        servername: `${name}.${world.injection.enclaveDomain}`,
        ca: world.roots.enclaves.map((root) => encodePem('CERTIFICATE', root)),
        cert: chainPem(credential),
        key: privateKeyPem(credential.privateKey),
      });
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        socket.removeListener('error', reject);
        socket.on('error', () => {});
        done(socket);
      });
    });
  const pod = () => world.kube.get(PODS, { name, namespace: ENCLAVES });
  await until(`${name} is Ready`, async () => isReady(await pod()), 30_000);
  return { name, address, dial, pod };
}

function isReady(pod: Pod | undefined): boolean {
  return pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

function sidecarOf(pod: Pod | undefined) {
  return pod?.status?.initContainerStatuses?.find(({ name }) => name === SIDECAR_CONTAINER);
}

const log = (name: string, container?: string): Promise<string> =>
  world.kube.log({ name, namespace: ENCLAVES }, container === undefined ? {} : { container });

/** One request; the whole answer, or undefined when it did not come whole. */
function ask(socket: TLSSocket, path: string): Promise<string | undefined> {
  return new Promise((done) => {
    let text = '';
    const over = (answer: string | undefined): void => {
      socket.removeListener('data', onData);
      socket.removeListener('close', onClose);
      done(answer);
    };
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const [head = '', body = ''] = text.split('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.POSITIVE_INFINITY);
      if (body.length >= length) over(text);
    };
    const onClose = (): void => over(undefined);
    if (socket.destroyed) return done(undefined);
    socket.on('data', onData);
    socket.once('close', onClose);
    socket.write(`GET ${path} HTTP/1.1\r\nhost: enclave\r\n\r\n`);
  });
}

describe('start', () => {
  test('the app starts after attestation', async () => {
    const { name } = await enclave('first');
    const attested = (await log(name, SIDECAR_CONTAINER))
      .split('\n')
      .map((line) => (line.startsWith('{') ? (JSON.parse(line) as Record<string, string>) : {}))
      .find(({ msg }) => msg === 'certified and attested');
    const [, up = ''] = /app up (\S+)/.exec(await log(name, 'app')) ?? [];
    expect(Date.parse(up)).toBeGreaterThan(Date.parse(attested?.['time'] ?? ''));
  });
});

describe('crash', () => {
  test('of the sidecar: it comes back with a new key and is attested again; the app does not notice', async () => {
    const { dial, pod } = await enclave('sidecar-dies');
    const before = await dial();
    const old = before.getPeerX509Certificate();
    const closed = new Promise((done) => before.once('close', done));
    const id = sidecarOf(await pod())?.containerID ?? '';
    process.kill(Number(/\/\/(\d+)\./.exec(id)?.[1]), 'SIGKILL');
    await closed;
    await until('the new sidecar is Ready', async () => {
      const now = await pod();
      return sidecarOf(now)?.restartCount === 1 && isReady(now);
    });
    const after = (await dial()).getPeerX509Certificate();
    expect(after?.publicKey.equals(old?.publicKey ?? after.publicKey)).toBe(false);
    expect((await pod())?.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    expect(await ask(await dial(), '/')).toContain('answer to /');
  });

  test('of the app: unready with the reason, connections end cleanly, and all is well when it is back', async () => {
    const { address, dial, pod } = await enclave('app-dies', (made) => {
      const [app] = made.spec?.containers ?? [];
      // Back only when the test says so: a first restart is at once.
      const script =
        'test -e "$HOLD" && [ -e "$HOLD/died" ] && while [ ! -e "$HOLD/go" ]; do sleep 0.05; done; touch "$HOLD/died"; exec "$@"';
      if (app) {
        app.env?.push({ name: 'HOLD', value: folder });
        app.command = ['sh', '-c', script, 'sh', ...(app.command ?? [])];
      }
    });
    const socket = await dial();
    const id = sidecarOf(await pod())?.containerID;
    expect(await ask(socket, '/crash')).toBeUndefined();
    const page = async () => (await fetch(`http://${address}:9464/readyz`)).text();
    await until('the page says why', async () =>
      (await page()).includes('upstream: the app does not take connections'),
    );
    await until('the pod is unready', async () => !isReady(await pod()));
    // TLS says who it is, then ends: no byte, no error.
    const refused = await dial();
    const errors: Error[] = [];
    refused.on('error', (error) => errors.push(error));
    const bytes: Buffer[] = [];
    refused.on('data', (chunk: Buffer) => bytes.push(chunk));
    await new Promise((done) => refused.once('close', done));
    expect({ errors, bytes }).toEqual({ errors: [], bytes: [] });
    const metrics = await (await fetch(`http://${address}:9464/metrics`)).text();
    expect(metrics).toMatch(/^enclave_sidecar_forward_failures_total [1-9]/m);
    writeFileSync(join(folder, 'go'), '');
    await until('the pod is Ready again', async () => isReady(await pod()));
    expect(await ask(await dial(), '/')).toContain('answer to /');
    expect(sidecarOf(await pod())?.containerID).toBe(id);
  });
});

describe('stop', () => {
  test('a Job’s pod completes when its app ends', async () => {
    const { dial, pod } = await enclave('job', (made) => {
      if (made.spec) made.spec.restartPolicy = 'Never';
    });
    await ask(await dial(), '/end');
    const done = await until('the pod has succeeded', async () => {
      const now = await pod();
      return now?.status?.phase === 'Succeeded' && sidecarOf(now)?.state?.terminated ? now : undefined;
    });
    expect(sidecarOf(done)?.state?.terminated?.exitCode).toBe(0);
  });

  test('under load: preStop, then the app’s own end, then the sidecar; no request that was asked is lost', async () => {
    const grace = 20;
    const { name, dial, pod, address } = await enclave('ends', (made) => {
      if (made.spec) made.spec.terminationGracePeriodSeconds = grace;
      const [app] = made.spec?.containers ?? [];
      const command = ['sh', '-c', 'while [ ! -e "$0" ]; do sleep 0.05; done', join(folder, 'end')];
      if (app) app.lifecycle = { preStop: { exec: { command } } };
    });
    const id = sidecarOf(await pod())?.containerID ?? '';
    const pid = Number(/\/\/(\d+)\./.exec(id)?.[1]);
    const seen = { asked: 0, lost: 0, afterDelete: 0, dialledAfterDelete: 0 };
    let deleted = 0;
    // Each client asks again and again until it is told that the connection ends.
    const client = async (): Promise<void> => {
      const socket = await dial();
      for (let ending = false; !ending; ) {
        seen.asked += 1;
        const answer = await ask(socket, '/');
        if (answer === undefined) seen.lost += 1;
        ending = answer === undefined || /connection: close/i.test(answer);
        if (deleted > 0) seen.afterDelete += 1;
        await pause(20);
      }
      socket.end();
    };
    const clients = Array.from({ length: 40 }, client);
    await until('all ask', async () => seen.asked > 200);
    const begun = performance.now();
    await world.kube.delete(PODS, { name, namespace: ENCLAVES });
    deleted = performance.now();
    // While the app's preStop runs, everything goes on: new connections too.
    seen.dialledAfterDelete = (await ask(await dial(), '/')) === undefined ? 0 : 1;
    const slow = await dial();
    // Asked before the app is told to end, answered after it.
    const answer = ask(slow, '/slow');
    await until('the app is asked', async () => (await log(name, 'app')).includes('app asked'));
    await until('every client has asked again', () => seen.afterDelete > 80);
    writeFileSync(join(folder, 'end'), '');
    await Promise.all(clients);
    expect(await answer).toContain('answer to /slow');
    expect(seen.lost).toBe(0);
    expect(seen.afterDelete).toBeGreaterThan(80);
    expect(seen.dialledAfterDelete).toBe(1);
    await until('the pod is gone', async () => (await pod()) === undefined, 30_000);
    expect((performance.now() - begun) / 1000).toBeLessThan(grace);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    await expect(dial()).rejects.toThrow(/ECONNREFUSED/);
    await expect(fetch(`http://${address}:9464/readyz`)).rejects.toThrow();
  });
});
