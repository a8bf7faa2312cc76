import { runService } from '../../platform/run/run-service.ts';
import { app } from './app.ts';
import { FRONT_OPTIONS } from './options.ts';

await runService('front', FRONT_OPTIONS, app);
