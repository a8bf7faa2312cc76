/** `make bench`: figures, never verdicts; a timed test would fail on a busy machine. */
import { benchLaunch } from './launch.ts';
import { benchVerify } from './verify.ts';

benchVerify();
await benchLaunch();
