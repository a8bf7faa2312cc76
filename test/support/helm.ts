import { layerProgram } from './layer-program.ts';

/** Path of helm 4. The environment's `HELM` wins. */
export function helmPath(): Promise<string> {
  const own = process.env['HELM'];
  return own === undefined ? layerProgram('helm') : Promise.resolve(own);
}
