import { type CommandResult, command } from '../../tools/cluster/command.ts';
import { layerProgram } from './layer-program.ts';

export interface Kubectl {
  /** Runs real kubectl; its standard output. Another exit code than 0 is an error that holds what it said. */
  (...args: string[]): Promise<string>;
  /** The same, whatever the exit code. */
  try(...args: string[]): Promise<CommandResult>;
  /** `kubectl apply -f -` of these objects, client side. */
  apply(...objects: object[]): Promise<string>;
}

/** kubectl with this kubeconfig, and `home` instead of the person's own folder. */
export async function kubectlFor(kubeconfig: string, home: string): Promise<Kubectl> {
  const program = await kubectlPath();
  const env = { KUBECONFIG: kubeconfig, HOME: home };
  const must = async (args: readonly string[], input = ''): Promise<string> => {
    const result = await command(program, args, { env, input });
    if (result.code !== 0)
      throw new Error(`kubectl ${args.join(' ')}: exit ${result.code}\n${result.stderr}`);
    return result.stdout;
  };
  return Object.assign((...args: string[]) => must(args), {
    try: (...args: string[]) => command(program, args, { env }),
    apply: (...items: object[]) =>
      must(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items })),
  });
}

/** Path of the program. The environment's `KUBECTL` wins. */
export function kubectlPath(): Promise<string> {
  const own = process.env['KUBECTL'];
  return own === undefined ? layerProgram('kubectl') : Promise.resolve(own);
}
