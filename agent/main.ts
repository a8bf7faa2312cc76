import { runService } from '../platform/run/run-service.ts';
import { agentApp } from './app.ts';
import { AGENT_OPTIONS } from './options.ts';

await runService('agent', AGENT_OPTIONS, agentApp);
