import type { Forgeries } from '../forgery.ts';
import { good } from '../forgery.ts';
import { FORGED_BUNDLES } from './forged-bundles.ts';
import { FORGED_CHAINS } from './forged-chains.ts';
import { FORGED_CLAIMS } from './forged-claims.ts';
import { FORGED_QUOTES } from './forged-quotes.ts';
import { FORGED_STATE } from './forged-state.ts';
import { FORGED_STATEMENTS } from './forged-statements.ts';
import { KEY_KINDS } from './key-kinds.ts';

/** By name: the published vectors (tools/make-vectors.ts) and the unit tests of verify run the same list. */
export const FORGERIES: Forgeries = {
  good: good(),
  'good-batch-of-one': good({ neighbours: 0, index: 0 }),
  'good-batch-of-a-hundred': good({ neighbours: 99, index: 99 }),
  ...FORGED_BUNDLES,
  ...FORGED_CHAINS,
  ...FORGED_QUOTES,
  ...FORGED_STATEMENTS,
  ...FORGED_STATE,
  ...FORGED_CLAIMS,
  ...KEY_KINDS,
};
