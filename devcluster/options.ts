import { parseArgs } from 'node:util';
import { explain } from '../platform/run/explain.ts';

export interface DevclusterOptions {
  /** Everything the cluster writes stands here; short, because Unix sockets' paths are. */
  readonly directory: string;
  readonly nodes: number;
  /** The image catalogue's file. */
  readonly catalogue: string;
  /** 0: any free port. */
  readonly apiPort: number;
  /** Join this API server instead of starting one. */
  readonly kubeconfig?: string;
  /** Folder with `ca.crt` and `ca.key`, the joined API server's client authority. */
  readonly clientCa?: string;
  /** File with the key of service account tokens (P-256, PEM). */
  readonly serviceAccountKey?: string;
  readonly tpm: boolean;
  /** Obey commands on standard input, and end with it. */
  readonly stdin: boolean;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const USAGE = `usage: node_modules/.bin/node devcluster/main.ts --dir DIR --catalogue FILE [options]

  --dir DIR          everything the cluster writes; created when missing
  --catalogue FILE   images: {"images": {"<name>": {"digest": "sha256:...", "command": [...]}}}
  --nodes N          number of nodes (default 1)
  --api-port PORT    port of the API server on 127.0.0.1 (default 0: any free one)
  --kubeconfig FILE  join this API server as administrator, start none
  --client-ca DIR    with --kubeconfig: ca.crt and ca.key of its client authority, to issue the nodes' identities
  --service-account-signing-key-file FILE
                     key of service account tokens, P-256 in PEM (default: a new one)
  --no-tpm           nodes without swtpm
  --stdin            obey lines on standard input, and end when it ends: suspend-api, resume-api,
                     stop-tpm NODE, start-tpm NODE; each is answered by a line of JSON

One line of JSON says when it is ready. A development tool: pods are processes, and nothing is isolated.
`;

/** @throws UsageError with one line that says what is wrong */
export function parseOptions(argv: readonly string[]): DevclusterOptions | 'help' {
  const { values } = parse(argv);
  if (values.help) return 'help';
  if (!values.dir) throw new UsageError('--dir is required');
  if (!values.catalogue) throw new UsageError('--catalogue is required');
  if ((values.kubeconfig === undefined) !== (values['client-ca'] === undefined))
    throw new UsageError('--kubeconfig and --client-ca go together');
  return {
    directory: values.dir,
    catalogue: values.catalogue,
    nodes: integer('--nodes', values.nodes, 1, 16),
    apiPort: integer('--api-port', values['api-port'], 0, 65_535),
    tpm: values['no-tpm'] !== true,
    stdin: values.stdin === true,
    ...(values.kubeconfig !== undefined && { kubeconfig: values.kubeconfig }),
    ...(values['service-account-signing-key-file'] !== undefined && {
      serviceAccountKey: values['service-account-signing-key-file'],
    }),
    ...(values['client-ca'] !== undefined && { clientCa: values['client-ca'] }),
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        dir: { type: 'string' },
        catalogue: { type: 'string' },
        nodes: { type: 'string', default: '1' },
        'api-port': { type: 'string', default: '0' },
        kubeconfig: { type: 'string' },
        'client-ca': { type: 'string' },
        'service-account-signing-key-file': { type: 'string' },
        'no-tpm': { type: 'boolean' },
        stdin: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError(explain(error));
  }
}

function integer(flag: string, text: string, low: number, high: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= low && value <= high))
    throw new UsageError(`${flag} must be a number from ${low} to ${high}`);
  return value;
}
