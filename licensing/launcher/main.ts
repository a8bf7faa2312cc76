import { runService } from '../../platform/run/run-service.ts';
import { app } from './app.ts';
import { LAUNCHER_OPTIONS } from './options.ts';

await runService('launcher', LAUNCHER_OPTIONS, app);
