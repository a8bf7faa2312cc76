/**
 * The nodes of `make bench-scale` as a process: the development cluster's, with the same flags, but enclave pods are light: sidecar and app share this process.
 */
import { serve } from '../../devcluster/serve.ts';
import { serveControl } from './control.ts';
import { createLightRuntime } from './light-runtime.ts';

const argv = process.argv.slice(2);
const { runtime, restart } = createLightRuntime();
serveControl(argv[argv.indexOf('--dir') + 1] ?? '', restart);
process.exit(await serve(argv, runtime));
