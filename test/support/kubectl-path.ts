import { layerProgram } from './layer-program.ts';

/** Path of kubectl. The environment's `KUBECTL` wins. */
export function kubectlPath(): Promise<string> {
  const own = process.env['KUBECTL'];
  return own === undefined ? layerProgram('kubectl') : Promise.resolve(own);
}
