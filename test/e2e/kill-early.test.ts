import { KILL_PHASES, killAt } from './kill-cases.ts';

killAt(KILL_PHASES.slice(0, 4));
