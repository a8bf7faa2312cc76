import { runService } from '../platform/run/run-service.ts';
import { app } from './app.ts';
import { WEBHOOK_OPTIONS } from './options.ts';

await runService('webhook', WEBHOOK_OPTIONS, app);
