import { AGENT_PATHS, PORTS } from '../../names/wire.ts';
import { NAMESPACES, PODS, type Pod } from '../../platform/kube/resources.ts';
import { type AgentWorld, startAgentWorld } from '../support/agent-world.ts';
import { mintToken } from './minted-token.ts';
import { type Answer, SidecarCalls } from './sidecar-calls.ts';

/** An enclave's pod that runs, and its token. */
export interface Enclave {
  readonly pod: Pod;
  readonly uid: string;
  readonly address: string;
  readonly token: string;
}

/** An address of this machine that is no pod's. */
export const ELSEWHERE = '127.0.0.1';
/** A namespace without our label. */
export const PLAIN = 'plain';

/** Two ordinary enclaves of a world with a real agent, and what others try in their name. */
export interface Callers {
  readonly world: AgentWorld;
  readonly victim: Enclave;
  readonly other: Enclave;
  /** A connection from this address; it is closed at the end. */
  from(address: string, token: string | undefined): SidecarCalls;
  /** One call on a connection of its own. */
  call(address: string, token: string | undefined): Promise<Answer>;
  enclave(name: string, edit?: (pod: Pod) => void): Promise<Enclave>;
  remove(pod: Pod, gracePeriodSeconds: number): Promise<unknown>;
  /** An enclave whose pod is gone; its token was good a moment ago, and the agent has seen the pod go. */
  former(name: string): Promise<Enclave>;
  /** The victim's token, but bound to something else or good at another time: made with the API server's own key. */
  mint(
    change: { bound?: object; from?: number; until?: number; jti?: string },
    like?: string,
  ): Promise<string>;
  /** Sum of the agent's series of this counter that have all these labels. */
  counted(counter: string, ...labels: string[]): Promise<number>;
  stop(): Promise<void>;
}

const CLAIM = 'kubernetes.io';

export async function startCallers(): Promise<Callers> {
  const world = await startAgentWorld();
  const open: SidecarCalls[] = [];
  const stop = async (): Promise<void> => {
    for (const calls of open) calls.close();
    await world.stop();
  };
  const from: Callers['from'] = (address, token) => {
    const calls = new SidecarCalls(world, address, token);
    open.push(calls);
    return calls;
  };
  const enclave: Callers['enclave'] = async (name, edit) => {
    const { pod, address } = await world.enclave(name, edit);
    return { pod, uid: pod.metadata?.uid ?? '', address, token: await world.token(pod) };
  };
  const remove: Callers['remove'] = ({ metadata }, gracePeriodSeconds) => {
    const { name = '', namespace = '' } = metadata ?? {};
    return world.kube.delete(PODS, { name, namespace }, { gracePeriodSeconds });
  };
  try {
    await world.kube.create(NAMESPACES, { metadata: { name: PLAIN } });
    const [victim, other] = await Promise.all([enclave('victim'), enclave('other')]);
    return {
      world,
      victim,
      other,
      from,
      call: async (address, token) => {
        const connection = from(address, token);
        const answer = await connection.call('GET', `${AGENT_PATHS.trust}?version=0`);
        connection.close();
        return answer;
      },
      enclave,
      remove,
      former: async (name) => {
        const former = await enclave(name);
        const connection = from(former.address, former.token);
        await connection.trust(0);
        const cut = connection.trust(1e9).then(
          () => Promise.reject(new Error('the connection was not cut')),
          () => undefined,
        );
        await remove(former.pod, 0);
        await cut;
        return former;
      },
      mint: ({ bound = {}, from: begin, until, jti }, like = victim.token) =>
        mintToken(world.cluster.serviceAccountKey, like, (old) => {
          const now = Math.floor(Date.now() / 1000);
          return {
            [CLAIM]: { ...(old[CLAIM] as object), ...bound },
            ...(begin !== undefined && { iat: now + begin, nbf: now + begin }),
            ...(until !== undefined && { exp: now + until }),
            ...(jti !== undefined && { jti }),
          };
        }),
      counted: async (counter, ...labels) => {
        const text = await (await fetch(`http://${world.agentHost}:${PORTS.health}/metrics`)).text();
        return text
          .split('\n')
          .filter((line) => new RegExp(`^enclave_agent_${counter}[{ ]`).test(line))
          .filter((line) => labels.every((label) => line.includes(label)))
          .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
