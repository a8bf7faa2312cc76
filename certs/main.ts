import { runService } from '../platform/run/run-service.ts';
import { certsApp } from './app.ts';
import { CERTS_OPTIONS } from './options.ts';

await runService('certs', CERTS_OPTIONS, certsApp);
