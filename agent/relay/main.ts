import { runService } from '../../platform/run/run-service.ts';
import { relayApp } from './app.ts';
import { RELAY_OPTIONS } from './options.ts';

await runService('tpm-relay', RELAY_OPTIONS, relayApp);
