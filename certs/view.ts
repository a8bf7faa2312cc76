import { type Clock, unixSeconds } from '../platform/run/clock.ts';
import type { JudgeView } from './controller/judge.ts';
import type { Settings } from './settings.ts';
import type { Material } from './start/material.ts';
import { revocationsOf } from './trust/trust-state.ts';

/** What a decision is made against, as it is at the moment of asking. */
export function createView(settings: Settings, material: Material, clock: Clock): () => JudgeView {
  return () => {
    const { document } = material.publisher.published.current();
    const { rootSets, pcrSelection, epoch, revoked } = document;
    return {
      enclaves: { ...settings, rootSets },
      system: settings,
      evidence: {
        roots: material.roots,
        rootSets,
        pcrSelection,
        epochs: [epoch.current, epoch.previous],
        seen: material.seenTpms.list(),
      },
      revocations: revocationsOf(revoked),
      now: unixSeconds(clock),
    };
  };
}
