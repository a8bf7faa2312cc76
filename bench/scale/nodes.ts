/**
 * The nodes of `make bench-scale` as a process: the development cluster's, with the same flags, but enclave pods are light: sidecar and app share this process.
 */
import { serve } from '../../devcluster/serve.ts';
import { lightRuntime } from './light-runtime.ts';

process.exit(await serve(process.argv.slice(2), lightRuntime));
