import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiServerFromKubeconfig } from '../../platform/kube/kubeconfig.ts';
import { Transport } from '../../platform/kube/transport.ts';
import { developmentEnvironment } from '../../tools/cluster/development-environment.ts';
import type { Environment } from '../../tools/cluster/environment.ts';
import { profileObject, writeSettings } from '../../tools/demo/operator.ts';
import { AuditLog } from './audit-log.ts';
import { type Crowd, signUpCrowd } from './crowd.ts';

/** The product on simulated nodes and a real API server, and users in front of it. */
export interface ScaleWorld {
  readonly environment: Environment;
  readonly crowd: Crowd;
  readonly audit: AuditLog;
  /** As administrator. */
  readonly api: Transport;
  stop(): Promise<void>;
}

export interface ScaleOptions {
  readonly nodes: number;
  readonly users: number;
  readonly seats: number;
  /** Folder of etcd and kube-apiserver. */
  readonly bin: string;
}

/** Each request to the API server once, without bodies: who, what, how it ended. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata' }],
};

export async function startScaleWorld(options: ScaleOptions): Promise<ScaleWorld> {
  const directory = mkdtempSync(join(tmpdir(), 'scale-'));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  const policyFile = join(directory, 'audit-policy.json');
  const auditFile = join(directory, 'audit.log');
  writeFileSync(policyFile, JSON.stringify(AUDIT_POLICY));
  writeFileSync(auditFile, '');
  // Read by test/support/cluster.ts, as for every suite on a real API server.
  process.env['ENCLAVE_TEST_KUBERNETES_BIN'] = options.bin;
  let environment: Environment | undefined;
  try {
    environment = await developmentEnvironment(
      { directory, nodes: options.nodes, seats: options.seats },
      {
        program: 'bench/scale/nodes.ts',
        apiFlags: [`--audit-policy-file=${policyFile}`, `--audit-log-path=${auditFile}`],
      },
    );
    const settings = writeSettings(environment);
    await environment.kubectl(['apply', '-f', '-'], JSON.stringify(profileObject(environment)));
    const api = new Transport(apiServerFromKubeconfig(environment.cluster.kubeconfig));
    const crowd = await signUpCrowd(settings, join(directory, 'state'), options.users);
    const { stop } = environment;
    return {
      environment,
      crowd,
      audit: new AuditLog(auditFile),
      api,
      stop: async () => {
        crowd.close();
        api.close();
        await stop();
        remove();
      },
    };
  } catch (error) {
    await environment?.stop();
    remove();
    throw error;
  }
}
